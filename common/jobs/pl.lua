#!lua name=pl

redis.register_function{function_name = 'pl_version', callback = function() return {'OK', '1'} end, flags = {'no-writes', 'allow-stale'}}
