#!lua name=plimsoll
-- pl.lua - the states of changes and runs: docs/STATE.md, as functions of Redis 7.
--
-- FCALL name 0 args... Each function reads all its arguments before it writes anything: Redis does not roll back. Every
-- reply is a flat list of strings, first a code. Times are Redis' own, in ms.

local VERSION = '3'

local DAY_S = 86400
local KEEP_CHANGE_S, KEEP_RUN_S, KEEP_DEAD_S = 7 * DAY_S, 3 * DAY_S, 30 * DAY_S
local LEASE_MAX_MS, BACKOFF_MAX_MS, HOLD_MAX_MS = 60000, 600000, 60000
local NOT_BEGUN_MAX_MS = 8000 -- back-off after a lease that was never begun: the loader's trouble, not the run's
local MOST = {stall = 3, lexp = 20, fail = 3} -- losses of a run, by kind, until it is dead
local JOURNAL_ENTRIES = '100000'
local REPORTS_MAX, ENTRIES_MAX, LIST_MAX = 100, 50, 1000 -- reports of a run, entries of one function in pl_out, rows
local LOOK = 500 -- runs that one pl_ready looks at from the front, and as many further back
local BIG = 9e15 -- integers are exact up to here
local COST_MAX = 1e12 -- µUSD of one run: what figures of a loader can make of it stays a number

local P = '{pl}:'
local QUEUES = {'new', 'run', 'lease', 'meas', 'out'}
local FARTHEST = {new = HOLD_MAX_MS, run = BACKOFF_MAX_MS, lease = LEASE_MAX_MS, meas = HOLD_MAX_MS, out = HOLD_MAX_MS}

local kicks -- of the call that runs: queues in which something became due

local function call(...) return redis.call(...) end
local function key(kind, id) return P .. kind .. ':' .. id end
local function text(n) return string.format('%.0f', n) end
local function get(k, field) return call('HGET', k, field) or '' end
local function num(k, field) return tonumber(call('HGET', k, field) or 0) end
local function kick(queue) kicks[queue] = true end

local function now_ms()
	local t = call('TIME')
	return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function due(queue, member, after_ms, only)
	local score = text(now_ms() + (after_ms or 0))
	if only then call('ZADD', P .. 'q:' .. queue, only, score, member) else call('ZADD', P .. 'q:' .. queue, score, member) end
end

local function undue(queue, member) return call('ZREM', P .. 'q:' .. queue, member) == 1 end

local function taken(queue, n)
	return call('ZRANGEBYSCORE', P .. 'q:' .. queue, '-inf', text(now_ms()), 'LIMIT', 0, n)
end

-- Arguments ------------------------------------------------------------------------------------------------------------

local function bad(what) error({err = 'ERR wrong argument: ' .. what}) end

-- Reads arguments one after the other; the first that is not what it must be ends the call.
local function reader(args)
	local at, R = 0, {}
	function R.left() return #args - at end
	function R.text(what)
		at = at + 1
		return args[at] or bad(what .. ' is missing')
	end
	function R.word(what)
		local s = R.text(what)
		return (#s > 0 and #s <= 256 and not s:find('[%c ]')) and s or bad(what)
	end
	function R.id(what)
		local s = R.text(what)
		return (#s <= 64 and s:find('^[%w._-]+$')) and s or bad(what)
	end
	function R.int(what, least, most)
		local s = R.text(what)
		local n = s:find('^%d+$') and tonumber(s)
		return (n and n >= least and n <= most) and n or bad(what)
	end
	function R.flag(what) return R.int(what, 0, 1) == 1 end
	function R.one_of(what, words)
		local s = R.text(what)
		return words[s] and s or bad(what)
	end
	function R.docs(count) -- (key value)…; a key is namespace/field
		local docs = {}
		for i = 1, count do
			local k, value = R.text('key'), R.text('value')
			local namespace, field = k:match('^([%w._-]+)/(.+)$')
			if not namespace then bad('key ' .. k) end
			docs[i] = {P .. 'doc:' .. namespace, field, value}
		end
		return docs
	end
	function R.words(what)
		local words = {}
		while R.left() > 0 do words[#words + 1] = R.word(what) end
		return words
	end
	function R.finish() if R.left() > 0 then bad('too many') end end
	return R
end

-- What the planner reads as the money of the newest day: `money` itself, so what it puts there is nothing.
local SPENT = {P .. 'doc:planner', 'spent'}

local function spent()
	local day, all = '', call('HGETALL', P .. 'money')
	for i = 1, #all, 2 do day = all[i] > day and all[i] or day end
	return day ~= '' and '{"day":"' .. day .. '","micro_usd":' .. text(math.max(0, num(P .. 'money', day))) .. '}' or ''
end

local function put(docs)
	for _, d in ipairs(docs) do
		local is_spent = d[1] == SPENT[1] and d[2] == SPENT[2]
		if d[3] == '' then
			call('HDEL', d[1], d[2])
		elseif not is_spent then
			call('HSET', d[1], d[2], d[3])
		end
	end
end

-- Moves ----------------------------------------------------------------------------------------------------------------

local function journal(id, from, to, token, who, why)
	call('XADD', P .. 'aud', 'MAXLEN', '~', JOURNAL_ENTRIES, '*', 'id', id, 'f', from, 't', to, 'tok', token, 'w', who, 'y', why)
end

local function between(states, id, from, to)
	if from ~= '' then call('ZREM', P .. 'st:' .. from, id) end
	if states[to] then call('ZADD', P .. 'st:' .. to, text(now_ms()), id) end
end

local LIVE_CHANGE = {queued = true}
local LIVE_RUN = {planned = true, active = true, measured = true, judged = true}

local function move_change(id, to, who, why)
	local c = key('c', id)
	local from = get(c, 'st')
	call('HSET', c, 'st', to, 'why', why)
	between(LIVE_CHANGE, id, from, to)
	journal(id, from, to, '', who, why)
end

local function move(run, to, who, why)
	local r = key('r', run)
	local from = get(r, 'st')
	call('HSET', r, 'st', to, 'upd', text(now_ms()), 'why', why)
	between(LIVE_RUN, run, from, to)
	journal(run, from, to, get(r, 'tok'), who, why)
end

-- Something to tell about the function: at once, also when somebody has the function in hand and waits for one of the
-- destinations; the others can have it.
local function tell(fn, entry)
	call('RPUSH', key('out', fn), entry)
	call('HINCRBY', key('f', fn), 'gen', 1)
	due('out', fn, 0, 'LT')
	kick('out')
end

local function close_change(id, to, who, why)
	local f = key('f', get(key('c', id), 'fn'))
	move_change(id, to, who, why)
	call('EXPIRE', key('c', id), KEEP_CHANGE_S)
	undue('new', id)
	if get(f, 'pend') == id then call('HDEL', f, 'pend') end
end

local function run_keys(run) return {key('r', run), key('s', run), key('rep', run)} end

local function publish(run, who, why)
	local keep = get(key('r', run), 'end') == 'dead' and KEEP_DEAD_S or KEEP_RUN_S
	move(run, 'published', who, why)
	for _, k in ipairs(run_keys(run)) do call('EXPIRE', k, keep) end
end

local function is_removed(fn) return get(key('f', fn), 'removed') == '1' end

-- A newer change than the run's; the wish to confirm an older run does not count.
local function is_superseded(run, fn) return num(key('f', fn), 'sup') > num(key('r', run), 'seq') end

-- The head of the line may be leased when the function has no active run.
local function promote(fn)
	if get(key('f', fn), 'act') ~= '' then return end
	local head = call('LINDEX', key('fq', fn), 0)
	if not head then return end
	local nb = call('HGET', key('r', head), 'nb') or text(now_ms())
	call('ZADD', P .. 'q:run', 'NX', nb, head)
	kick('run')
end

-- Resources are kept in the run's hash as lines of name, amount, limit.
local function each_resource(lines) return lines:gmatch('([^\t]+)\t(%d+)\t(%d+)\n') end
local function resources(run) return get(key('r', run), 'res') end

local function without_room(lines)
	for name, amount, limit in each_resource(lines) do
		if num(P .. 'res', name) + amount > tonumber(limit) then return name end
	end
end

local function occupy(run, sign)
	for name, amount in each_resource(resources(run)) do
		if call('HINCRBY', P .. 'res', name, text(sign * amount)) <= 0 then call('HDEL', P .. 'res', name) end
	end
end

local function book(run, sign)
	local r = key('r', run)
	local cost = num(r, 'cost')
	if cost > 0 then call('HINCRBY', P .. 'money', get(r, 'day'), text(sign * cost)) end
end

-- Lines of shards are for leases; from here on there is none.
local function drop_lines(run)
	for i = 0, num(key('r', run), 'n') - 1 do call('HDEL', key('s', run), text(i)) end
end

local function to_collector(run, who, why)
	drop_lines(run)
	due('meas', run)
	kick('meas')
	move(run, 'measured', who, why)
end

-- The run ends without a result. It is told like one, unless its function is gone.
local function finish(run, how, who, why)
	local r = key('r', run)
	local fn = get(r, 'fn')
	if get(r, 'called') == '' then
		book(run, -1)
		call('HSET', r, 'cost', '0')
	end
	call('HSET', r, 'end', how)
	if how == 'dead' then
		call('ZADD', P .. 'dead', text(now_ms()), run)
		call('EXPIRE', key('c', get(r, 'chg')), KEEP_DEAD_S)
	end
	if is_removed(fn) then
		drop_lines(run)
		publish(run, who, why)
	else
		to_collector(run, who, why)
	end
end

local function leave_line(run, fn)
	call('LREM', key('fq', fn), 0, run)
	undue('run', run)
end

local function leave_active(run, fn)
	for i = 0, num(key('r', run), 'n') - 1 do undue('lease', run .. '/' .. text(i)) end
	occupy(run, -1)
	call('HDEL', key('f', fn), 'act')
end

-- Back to the front of the line.
local function plan_again(run, fn, who, why, backoff_ms)
	local r, s = key('r', run), key('s', run)
	call('HSET', r, 'ltok', get(r, 'tok'), 'nb', text(now_ms() + backoff_ms), 'done', '0')
	for i = 0, num(r, 'n') - 1 do call('HDEL', s, i .. '.st', i .. '.sha', i .. '.bytes') end
	call('LPUSH', key('fq', fn), run)
	move(run, 'planned', who, why)
	call('HDEL', r, 'tok')
end

-- An active run is given up, for one of the reasons of MOST.
local function lose(run, reason, who, why, backoff_ms, is_final)
	local r = key('r', run)
	local fn, cancel = get(r, 'fn'), get(r, 'cxl')
	local count = call('HINCRBY', r, reason, 1)
	leave_active(run, fn)
	if cancel ~= '' then
		finish(run, 'cancelled', who, cancel)
	elseif is_superseded(run, fn) then
		finish(run, 'cancelled', who, 'superseded')
	elseif is_final then
		finish(run, 'dead', who, why)
	elseif count >= MOST[reason] then
		finish(run, 'dead', who, why .. ' (' .. reason .. ' ' .. count .. ')')
	else
		plan_again(run, fn, who, why, backoff_ms)
	end
	promote(fn)
end

-- A newer change: what waits is replaced, what runs goes on when it tests something that cannot change under it.
local function supersede(fn, why, is_removal)
	local f, fq = key('f', fn), key('fq', fn)
	local pend, act = get(f, 'pend'), get(f, 'act')
	if pend ~= '' then close_change(pend, 'cancelled', 'ingest', why) end
	for _, run in ipairs(call('LRANGE', fq, 0, -1)) do
		leave_line(run, fn)
		finish(run, 'cancelled', 'ingest', why)
	end
	if act ~= '' and (is_removal or get(key('r', act), 'mut') == '1') then call('HSETNX', key('r', act), 'cxl', why) end
end

local function enqueue(id, fn, kind, line, confirms, who)
	local f, seq = key('f', fn), call('INCR', P .. 'seq')
	if kind == 'removed' then call('HSET', f, 'removed', '1') end
	if kind == 'change' then call('HDEL', f, 'removed') end
	if kind ~= 'confirm' then
		call('HSET', f, 'sup', seq)
		supersede(fn, kind == 'removed' and 'removed' or 'superseded', kind == 'removed')
	end
	call('HSET', key('c', id), 'fn', fn, 'kind', kind, 'line', line, 'confirms', confirms, 'seq', seq, 'created', text(now_ms()))
	call('HSET', f, 'pend', id, 'last', id)
	due('new', id)
	kick('new')
	move_change(id, 'queued', who, '')
	return seq
end

-- Changes --------------------------------------------------------------------------------------------------------------

local function ingest(R)
	local id, fn = R.id('id'), R.word('fn')
	local kind = R.one_of('kind', {change = true, removed = true, confirm = true})
	local line, confirms = R.text('line'), ''
	if R.left() > 0 then confirms = R.text('confirms') end
	R.finish()
	local state = get(key('c', id), 'st')
	if state ~= '' then return {'DUP', state} end
	if kind == 'confirm' then -- it replaces nothing
		if is_removed(fn) then return {'NOOP', 'removed'} end
		if get(key('f', fn), 'pend') ~= '' or call('LLEN', key('fq', fn)) > 0 then return {'NOOP', 'newer'} end
	end
	local seq = enqueue(id, fn, kind, line, confirms, 'ingest')
	if kind ~= 'confirm' then tell(fn, 'c:' .. id) end
	return {'OK', text(seq)}
end

local function changes(R)
	local n, hold, names, out = R.int('n', 0, 10000), R.int('hold', 1, HOLD_MAX_MS), {}, {'OK'}
	while R.left() > 0 do names[#names + 1] = R.word('doc') end
	local money = spent()
	local function add(s) out[#out + 1] = s end
	for _, id in ipairs(taken('new', n)) do
		local c = call('HMGET', key('c', id), 'st', 'kind', 'confirms', 'fn', 'line')
		if c[1] ~= 'queued' then
			undue('new', id)
		else
			due('new', id, hold)
			for _, s in ipairs({id, c[2], c[3], c[4], c[5], text(#names)}) do add(s) end
			for _, name in ipairs(names) do
				local doc = name:gsub('@', function() return c[4] end)
				local namespace, field = doc:match('^([^/]+)/(.+)$')
				add(doc)
				if doc == 'planner/spent' then
					add(money)
				else
					add(namespace and get(P .. 'doc:' .. namespace, field) or '')
				end
			end
		end
	end
	return out
end

local DECISIONS = {test = 'test', skip = 'skipped', refuse = 'refused'}

local function read_run(R)
	local run = {id = R.id('run'), decision = R.one_of('decision', DECISIONS), line = R.text('line'), lines = {}}
	run.cost, run.mut, run.acc = R.int('cost', 0, BIG), R.flag('mut'), R.word('account')
	local n, count, res = R.int('n', 0, 1024), R.int('resources', 0, 64), ''
	for _ = 1, count do
		res = res .. R.word('resource') .. '\t' .. text(R.int('amount', 0, BIG)) .. '\t' .. text(R.int('limit', 0, BIG)) .. '\n'
	end
	for i = 1, n do run.lines[i] = R.text('shard') end
	run.res = res
	if run.decision == 'test' and n == 0 then bad('a test without shards') end
	return run
end

local function make_run(run, change, c, day)
	local is_test, r = run.decision == 'test', key('r', run.id)
	call('HSET', r, 'fn', c.fn, 'chg', change, 'seq', c.seq, 'kind', c.kind, 'n', #run.lines, 'done', '0', 'att', '0',
		'mut', run.mut and '1' or '0', 'acc', run.acc, 'plan', run.line, 'cost', is_test and text(run.cost) or '0',
		'day', day, 'res', run.res, 'nb', text(now_ms()), 'created', text(now_ms()))
	if is_test then
		call('HINCRBY', key('f', c.fn), 'runs', 1)
		book(run.id, 1)
		for i, line in ipairs(run.lines) do call('HSET', key('s', run.id), text(i - 1), line) end
		if not is_removed(c.fn) then
			call('RPUSH', key('fq', c.fn), run.id)
			move(run.id, 'planned', 'plan', '')
		end
	end
	if not is_removed(c.fn) then tell(c.fn, 'p:' .. run.id) end
	if not is_test then
		finish(run.id, DECISIONS[run.decision], 'plan', run.decision)
	elseif is_removed(c.fn) then
		finish(run.id, 'cancelled', 'plan', 'removed')
	end
end

local function plan(R)
	local change, day, limit = R.id('change'), R.word('day'), R.int('day_limit', 0, BIG)
	local docs = R.docs(R.int('puts', 0, 10000))
	local runs, sum, seen = {}, 0, {}
	for _ = 1, R.int('runs', 0, 1000) do
		local run = read_run(R)
		if not seen[run.id] and call('EXISTS', key('r', run.id)) == 0 then
			runs[#runs + 1], seen[run.id] = run, true
			sum = sum + (run.decision == 'test' and run.cost or 0)
		end
	end
	R.finish()
	local found = call('HMGET', key('c', change), 'st', 'fn', 'seq', 'kind')
	if found[1] ~= 'queued' then return {'STALE', found[1] or ''} end
	local booked = num(P .. 'money', day)
	if limit > 0 and sum > 0 and booked + sum > limit then return {'NOMONEY', text(booked)} end
	local c = {fn = found[2], seq = found[3], kind = found[4]}
	close_change(change, 'planned', 'plan', '')
	for _, run in ipairs(runs) do make_run(run, change, c, day) end
	promote(c.fn)
	put(docs)
	return {'OK'}
end

-- Leases ---------------------------------------------------------------------------------------------------------------

-- Old runs first. When many cannot start, those further back have their turn too: the second look begins elsewhere each
-- second.
local function ready(R)
	local max, any, served, out = R.int('max', 0, 10000), false, {}, {'OK'}
	for _, account in ipairs(R.words('account')) do served[account], any = true, any or account == '*' end
	local q, until_ms, full = P .. 'q:run', text(now_ms()), {} -- full: by what a run needs, most need the same
	local function look(from)
		for _, run in ipairs(call('ZRANGEBYSCORE', q, '-inf', until_ms, 'LIMIT', from, LOOK)) do
			if max == 0 then return end
			local r = call('HMGET', key('r', run), 'st', 'n', 'acc', 'res')
			local is_wanted, need = r[1] == 'planned' and (any or served[r[3]]), r[4] or ''
			if is_wanted and full[need] == nil then full[need] = without_room(need) or false end
			if is_wanted and not full[need] then
				out[#out + 1], out[#out + 2], out[#out + 3] = run, r[2], r[3]
				max = max - 1
			end
		end
	end
	look(0)
	local behind = call('ZCOUNT', q, '-inf', until_ms) - LOOK
	if behind > 0 and max > 0 then look(LOOK + (math.floor(now_ms() / 1000) * LOOK) % behind) end
	return out
end

local function why_not(run, owners)
	local r = key('r', run)
	local state = get(r, 'st')
	if state ~= 'planned' then return state == '' and 'unknown' or state end
	if num(r, 'n') ~= owners then return 'owners' end
	local score = call('ZSCORE', P .. 'q:run', run)
	if not score then return 'busy' end
	if tonumber(score) > now_ms() then return 'later' end
	local name = without_room(resources(run))
	return name and 'resource ' .. name
end

local function lease(R)
	local run, nonce, ttl = R.id('run'), R.id('nonce'), R.int('ttl', 1, LEASE_MAX_MS)
	local owners = R.words('owner')
	local why = why_not(run, #owners)
	if why then
		if why ~= 'busy' and get(key('r', run), 'st') ~= 'planned' then undue('run', run) end
		return {'NO', why}
	end
	local r, s, fn = key('r', run), key('s', run), get(key('r', run), 'fn')
	local token = text(call('INCR', P .. 'tok')) .. '.' .. nonce
	local attempt = call('HINCRBY', r, 'att', 1)
	local out = {'OK', token, text(attempt)}
	leave_line(run, fn)
	if get(r, 'called') ~= '' then -- calls of a lost try are not unmade: they stay booked, this try is booked anew
		book(run, 1)
		call('HINCRBY', r, 'lost', get(r, 'cost'))
		call('HDEL', r, 'called')
	end
	call('HSET', r, 'tok', token)
	call('HSET', key('f', fn), 'act', run)
	occupy(run, 1)
	for i, owner in ipairs(owners) do
		call('HSET', s, (i - 1) .. '.own', owner, (i - 1) .. '.st', 'leased')
		due('lease', run .. '/' .. (i - 1), ttl)
		out[#out + 1] = get(s, text(i - 1))
	end
	move(run, 'active', table.concat(owners, ','), '')
	return out
end

local function read_shard(R)
	local run, i = R.id('run'), text(R.int('i', 0, 1023))
	local token, owner = R.text('token'), R.word('owner')
	return {run = run, i = i, token = token, owner = owner, r = key('r', run), s = key('s', run)}
end

-- Who writes for an active run must bring its token and be the owner of that shard.
local function is_holder(w, state)
	return state == 'active' and get(w.r, 'tok') == w.token and get(w.s, w.i .. '.own') == w.owner
end

local function beat(R)
	local w, ttl, is_running = read_shard(R), R.int('ttl', 1, LEASE_MAX_MS), R.flag('is_running')
	R.finish()
	local state = get(w.r, 'st')
	if not is_holder(w, state) then return {'STALE', state} end
	local cancel = get(w.r, 'cxl')
	if cancel ~= '' then return {'CANCEL', cancel} end
	local shard = get(w.s, w.i .. '.st')
	if shard == 'done' then return {'OK'} end -- its acknowledgement is under way
	if is_running and shard == 'leased' then
		call('HSET', w.s, w.i .. '.st', 'running')
		call('HSET', w.r, 'called', '1')
	end
	due('lease', w.run .. '/' .. w.i, ttl)
	return {'OK'}
end

-- is_retry 0: not again; 1: again, its failure; 2: again, the loader is stopping (counts as never begun).
local function fail(R)
	local w, retry, why, backoff = read_shard(R), R.int('is_retry', 0, 2), R.text('why'), R.int('backoff', 0, BIG)
	R.finish()
	local state = get(w.r, 'st')
	if not is_holder(w, state) or get(w.s, w.i .. '.st') == 'done' then return {'STALE', state} end
	lose(w.run, retry == 2 and 'lexp' or 'fail', w.owner, why:sub(1, 200), math.min(backoff, BACKOFF_MAX_MS), retry == 0)
	return {'OK', get(w.r, 'st')}
end

local function shard_done(w, sha, bytes)
	call('HSET', w.s, w.i .. '.st', 'done', w.i .. '.sha', sha, w.i .. '.bytes', bytes)
	call('HSET', w.r, 'called', '1')
	return num(w.r, 'n') - call('HINCRBY', w.r, 'done', 1)
end

-- The lease was lost, but nobody has begun anew: the result is as good as any.
local function take_late(w, sha, bytes)
	local fn = get(w.r, 'fn')
	leave_line(w.run, fn)
	call('HSET', w.r, 'tok', w.token)
	shard_done(w, sha, bytes)
	to_collector(w.run, w.owner, 'late')
	promote(fn)
	return {'OK', '0'}
end

local function shard(R)
	local w, sha, bytes = read_shard(R), R.text('sha'), text(R.int('bytes', 0, BIG))
	R.finish()
	local r = call('HMGET', w.r, 'st', 'tok', 'ltok', 'n', 'end', 'fn')
	local state, is_owner = r[1], get(w.s, w.i .. '.own') == w.owner
	if not state then return {'NONE'} end
	if state == 'planned' and r[4] == '1' and r[3] == w.token and is_owner then return take_late(w, sha, bytes) end
	if state == 'planned' or r[2] ~= w.token or not is_owner or r[5] then return {'STALE', state} end
	local known = get(w.s, w.i .. '.sha')
	if known ~= '' and known ~= sha then return {'STALE', state} end -- other words about what is done: their file must go
	if get(w.s, w.i .. '.st') == 'done' then return {'DUP'} end
	if get(w.r, 'cxl') ~= '' then -- what was tested may have changed meanwhile
		lose(w.run, 'fail', w.owner, '', 0, true)
		return {'STALE', get(w.r, 'st')}
	end
	local left = shard_done(w, sha, bytes)
	undue('lease', w.run .. '/' .. w.i)
	if left == 0 then
		leave_active(w.run, r[6])
		to_collector(w.run, w.owner, '')
		promote(r[6])
	end
	return {'OK', text(left)}
end

local function reap(R)
	local max, now, n, far = R.int('max', 0, 10000), now_ms(), 0, nil
	R.finish()
	for _, queue in ipairs(QUEUES) do -- after the clock was put back
		local q, limit = P .. 'q:' .. queue, text(now + FARTHEST[queue])
		far = call('ZRANGEBYSCORE', q, '(' .. limit, '+inf', 'LIMIT', 0, max)
		for _, member in ipairs(far) do call('ZADD', q, limit, member) end
	end
	for _, member in ipairs(taken('lease', max)) do
		local run = member:match('^(.*)/')
		local r, begun = key('r', run), false
		if get(r, 'st') ~= 'active' then
			undue('lease', member)
		elseif call('ZSCORE', P .. 'q:lease', member) then -- else gone with another shard of its run
			for i = 0, num(r, 'n') - 1 do begun = begun or get(key('s', run), i .. '.st') ~= 'leased' end
			local before = begun and num(r, 'stall') + num(r, 'fail') or num(r, 'lexp')
			local most = begun and BACKOFF_MAX_MS or NOT_BEGUN_MAX_MS
			lose(run, begun and 'stall' or 'lexp', 'reap', 'lease over', math.min(1000 * 2 ^ before, most))
			n = n + 1
		end
	end
	return {'OK', text(n)}
end

-- Results --------------------------------------------------------------------------------------------------------------

local function report(R)
	local run, id, line = R.id('run'), R.text('id'), R.text('line')
	R.finish()
	local r, rep = key('r', run), key('rep', run)
	local ttl = call('TTL', r)
	if ttl == -2 then return {'NONE'} end
	local known = call('LRANGE', rep, 0, -1) -- id, line, id, line, …
	for i = 1, #known, 2 do
		if known[i] == id then return {'DUP'} end
	end
	if #known >= 2 * REPORTS_MAX then return {'FULL'} end
	call('RPUSH', rep, id, line)
	if ttl >= 0 then call('EXPIRE', rep, ttl) end
	local state = get(r, 'st')
	if state ~= 'planned' and state ~= 'active' then
		call('HDEL', r, 'told')
		due('meas', run)
		kick('meas')
	end
	return {'OK'}
end

local function measured(R)
	local n, hold, out = R.int('n', 0, 10000), R.int('hold', 1, HOLD_MAX_MS), {'OK'}
	R.finish()
	local function add(s) out[#out + 1] = s end
	for _, run in ipairs(taken('meas', n)) do
		local r = call('HMGET', key('r', run), 'st', 'fn', 'end', 'why', 'rev', 'plan', 'n', 'tok')
		if not r[1] or r[1] == 'planned' or r[1] == 'active' then
			undue('meas', run)
		else
			due('meas', run, hold)
			local shards = r[3] and 0 or tonumber(r[7])
			for _, s in ipairs({run, r[2], r[3] or '', r[4], r[5] or '', r[6], text(shards)}) do add(s) end
			for i = 0, shards - 1 do
				local s = call('HMGET', key('s', run), i .. '.sha', i .. '.bytes')
				for _, v in ipairs({text(i), r[8], s[1] or '', s[2] or ''}) do add(v) end
			end
			local reports = call('LRANGE', key('rep', run), 0, -1)
			add(text(#reports / 2))
			for i = 2, #reports, 2 do add(reports[i]) end
		end
	end
	return out
end

-- Once a run, also of an amendment; not when the function has a newer change already.
local function want_confirmation(run, fn, change)
	local id, c = 'k' .. run:sub(2, 21), key('c', change)
	local line = call('HGET', c, 'line')
	if line and get(key('f', fn), 'last') == change and not is_removed(fn) and call('EXISTS', key('c', id)) == 0 then
		enqueue(id, fn, 'confirm', line, run, 'judge')
	end
end

-- The newest revision is the one to tell. Who was told an older one hears again.
local function tell_result(run, fn, before, rev)
	if before then
		call('LREM', key('out', fn), 0, 'f:' .. run .. '.' .. before)
		call('DEL', key('dv', 'f:' .. run .. '.' .. before))
	end
	tell(fn, 'f:' .. run .. '.' .. rev)
end

local function settle(run, cost)
	local r = key('r', run)
	call('HINCRBY', P .. 'money', get(r, 'day'), text(cost - num(r, 'cost')))
	call('HSET', r, 'cost', text(cost))
end

local function judge(R)
	local run, rev, sha, bytes = R.id('run'), R.int('rev', 0, 999999), R.text('sha'), R.int('bytes', 0, BIG)
	local verdict, wanted, cost = R.text('verdict'), R.flag('confirm_wanted'), R.text('cost')
	cost = cost ~= '' and (cost:find('^%d+$') and math.min(tonumber(cost), COST_MAX) or bad('cost'))
	local docs = R.docs(R.int('puts', 0, 10000))
	R.finish()
	local r = key('r', run)
	local found = call('HMGET', r, 'st', 'rev', 'fn', 'end', 'chg')
	local state, before, fn, has_result = found[1] or '', found[2], found[3], not found[4]
	if before and tonumber(before) == rev then return {'DUP'} end
	if before and rev < tonumber(before) or not before and (rev > 0 or state ~= 'measured') then return {'STALE', state} end
	call('HSET', r, 'rev', text(rev), 'rsha', sha, 'rbytes', text(bytes), 'verdict', verdict)
	if not before and has_result then -- once a run
		call('HINCRBY', key('f', fn), 'results', 1)
		if cost then settle(run, cost) end
	end
	if is_removed(fn) then
		if state ~= 'published' then publish(run, 'judge', 'removed') end
	else
		for _, k in ipairs(run_keys(run)) do call('PERSIST', k) end
		move(run, 'judged', 'judge', get(r, 'why'))
		tell_result(run, fn, before, text(rev))
		if has_result and wanted then want_confirmation(run, fn, found[5]) end
	end
	put(docs)
	return {'OK'}
end

local function told(R)
	local run, reports = R.id('run'), R.left() > 0 and R.int('reports', 0, BIG)
	R.finish()
	local state = get(key('r', run), 'st')
	if state == '' then undue('meas', run) return {'NONE'} end
	if state ~= 'judged' and state ~= 'published' then return {'STALE', state} end
	if reports and call('LLEN', key('rep', run)) > 2 * reports then -- one came that the collector has not seen
		due('meas', run)
		kick('meas')
		return {'MORE'}
	end
	undue('meas', run)
	call('HSET', key('r', run), 'told', '1')
	return {'OK'}
end

-- Outbox ---------------------------------------------------------------------------------------------------------------

local ENTRY = {} -- by its first letter: where its hash is, and what, ref, sha, bytes of it
ENTRY.c = function(id) return {key('c', id), 'line', get(key('c', id), 'line'), '', ''} end
ENTRY.p = function(id) return {key('r', id), 'line', get(key('r', id), 'plan'), '', ''} end
ENTRY.f = function(id)
	local run, rev = id:match('^(.*)%.(%d+)$')
	local r = key('r', run or '')
	return {r, 'file', (run or '') .. '.f' .. (rev or '') .. '.json', get(r, 'rsha'), get(r, 'rbytes'), run, rev}
end

local function entry_of(entry)
	local kind, id = entry:match('^([cpf]):(.+)$')
	if not kind then return nil end
	local e = ENTRY[kind](id)
	return call('EXISTS', e[1]) == 1 and e or nil
end

local function drop_entry(fn, entry)
	call('LREM', key('out', fn), 0, entry)
	call('DEL', key('dv', entry))
end

-- Nothing left to tell: everybody knows the newest.
local function rest(fn)
	local left = call('LLEN', key('out', fn))
	if left == 0 and undue('out', fn) then call('HSET', key('f', fn), 'pgen', text(num(key('f', fn), 'gen'))) end
	return left
end

local function out(R)
	local n, hold, reply = R.int('n', 0, 10000), R.int('hold', 1, HOLD_MAX_MS), {'OK'}
	R.finish()
	local function add(s) reply[#reply + 1] = s end
	for _, fn in ipairs(taken('out', n)) do
		local entries = {}
		for _, entry in ipairs(call('LRANGE', key('out', fn), 0, ENTRIES_MAX - 1)) do
			local e = entry_of(entry)
			if e then entries[#entries + 1] = {entry, e[2], e[3], e[4], e[5]} else drop_entry(fn, entry) end
		end
		if rest(fn) > 0 then
			due('out', fn, hold)
			for _, s in ipairs({fn, text(#entries)}) do add(s) end
			for _, e in ipairs(entries) do
				local to = call('SMEMBERS', key('dv', e[1]))
				table.sort(to)
				for _, s in ipairs(e) do add(s) end
				add(text(#to))
				for _, destination in ipairs(to) do add(destination) end
			end
		end
	end
	return reply
end

local function delivered(R)
	local entry, to = R.text('entry'), R.words('destination')
	local e = entry_of(entry)
	if not e or not call('LPOS', key('out', get(e[1], 'fn')), entry) then return {'NONE'} end
	for _, destination in ipairs(to) do call('SADD', key('dv', entry), destination) end
	return {'OK'}
end

local function out_done(R)
	local fn, entries = R.word('fn'), R.words('entry')
	for _, entry in ipairs(entries) do
		local is_there = call('LPOS', key('out', fn), entry)
		local e = is_there and entry_of(entry)
		if is_there then drop_entry(fn, entry) end
		if e and e[7] and get(e[1], 'st') == 'judged' and get(e[1], 'rev') == e[7] then publish(e[6], 'sink', get(e[1], 'why')) end
	end
	return {'OK', text(rest(fn))} -- what is left waits until its hold is over
end

-- Documents, loaders ---------------------------------------------------------------------------------------------------

local function put_docs(R)
	if R.left() % 2 == 1 then bad('a key without a value') end
	put(R.docs(R.left() / 2))
	return {'OK'}
end

local function docs(R)
	local doc, fields, out = key('doc', R.word('namespace')), {}, {'OK'}
	while R.left() > 0 do fields[#fields + 1] = R.text('field') end
	if #fields == 0 then
		for _, s in ipairs(call('HGETALL', doc)) do out[#out + 1] = s end
	end
	for _, field in ipairs(fields) do
		local value = call('HGET', doc, field)
		if value then out[#out + 1], out[#out + 2] = field, value end
	end
	return out
end

local function loaders(R)
	if R.left() % 2 == 1 then bad('a loader without a text') end
	local said = {}
	while R.left() > 0 do said[#said + 1] = {R.word('loader'), R.text('text')} end
	for _, s in ipairs(said) do
		if s[2] == '' then call('HDEL', P .. 'loaders', s[1]) else call('HSET', P .. 'loaders', s[1], s[2]) end
	end
	return {'OK'}
end

-- A person's -----------------------------------------------------------------------------------------------------------

local function cancel(R)
	local run, why = R.id('run'), R.text('why'):sub(1, 200)
	R.finish()
	local r = key('r', run)
	local state, fn = get(r, 'st'), get(r, 'fn')
	if state == '' then return {'NONE'} end
	if state == 'active' then
		call('HSETNX', r, 'cxl', why ~= '' and why or 'cancelled')
		return {'OK'}
	end
	if state ~= 'planned' then return {'NOOP', state} end
	leave_line(run, fn)
	finish(run, 'cancelled', 'admin', why)
	promote(fn)
	return {'OK'}
end

local function dead(R)
	local what, run = R.one_of('what', {retry = true, drop = true}), R.id('run')
	R.finish()
	local r = key('r', run)
	local chg, fn = get(r, 'chg'), get(r, 'fn')
	if fn == '' then call('ZREM', P .. 'dead', run) return {'NONE'} end
	if not call('ZSCORE', P .. 'dead', run) then return {'NOOP'} end
	if what == 'retry' then
		local c = call('HMGET', key('c', chg), 'kind', 'line', 'confirms')
		local id = 'd' .. run:sub(2)
		if not c[1] or get(key('f', fn), 'last') ~= chg or call('EXISTS', key('c', id)) == 1 then return {'NOOP'} end
		enqueue(id, fn, c[1], c[2], c[3], 'admin')
	end
	call('ZREM', P .. 'dead', run)
	call('HSET', r, 'dropped', '1')
	return {'OK'}
end

local STATES = {'queued', 'planned', 'active', 'measured', 'judged'}

local function status()
	local out, now = {'OK'}, now_ms()
	local function add(name, value) out[#out + 1], out[#out + 2] = name, value end
	local function add_set(name, set)
		local oldest = call('ZRANGE', set, 0, 0, 'WITHSCORES')
		add(name, text(call('ZCARD', set)))
		add(name .. '_oldest_ms', oldest[2] and text(math.max(now - oldest[2], 0)) or '0')
	end
	for _, state in ipairs(STATES) do add_set(state, P .. 'st:' .. state) end
	add_set('dead', P .. 'dead')
	add('ready', text(call('ZCARD', P .. 'q:run')))
	add('outbox', text(call('ZCARD', P .. 'q:out')))
	add('loaders', text(call('HLEN', P .. 'loaders')))
	local money, day = call('HGETALL', P .. 'money'), 0
	for i = 1, #money, 2 do
		if day == 0 or money[i] > money[day] then day = i end
	end
	if day > 0 then add('money_day', money[day]) add('money_booked', money[day + 1]) end
	return out
end

-- Why it is not further: of a run that is planned.
local function waits_for(run, now)
	local score = call('ZSCORE', P .. 'q:run', run)
	if not score then return 'its function is busy' end
	if tonumber(score) > now then return 'back-off' end
	local name = without_room(resources(run))
	return name and name .. ' is in use' or 'a loader'
end

local function lease_end(run, n)
	local first
	for i = 0, n - 1 do
		local score = tonumber(call('ZSCORE', P .. 'q:lease', run .. '/' .. i) or nil)
		if score and (not first or score < first) then first = score end
	end
	return first
end

local function owners(run, n)
	local names = {}
	for i = 0, n - 1 do names[#names + 1] = get(key('s', run), i .. '.own') end
	return table.concat(names, ',')
end

local ROW = {} -- by list: when it is due (ms of Redis), what it waits for or who has it
ROW.queued = function(id) return call('ZSCORE', P .. 'q:new', id), '' end
ROW.planned = function(id, _, now) return call('ZSCORE', P .. 'q:run', id), waits_for(id, now) end
ROW.active = function(id, n) return lease_end(id, n), owners(id, n) end
ROW.measured = function(id) return call('ZSCORE', P .. 'q:meas', id), '' end
ROW.judged = function(_, _, _, fn) return call('ZSCORE', P .. 'q:out', fn), '' end
ROW.dead = function() return nil, '' end
ROW.loaders = true

local function list(R)
	local what, n = R.one_of('what', ROW), LIST_MAX
	if R.left() > 0 then n = R.int('n', 0, LIST_MAX) end
	R.finish()
	local reply, now = {'OK', '0'}, now_ms()
	if what == 'loaders' then
		local all = call('HGETALL', P .. 'loaders')
		reply[2] = text(#all / 2)
		for _, s in ipairs(all) do reply[#reply + 1] = s end
		return reply
	end
	local set = what == 'dead' and P .. 'dead' or P .. 'st:' .. what
	local k = what == 'queued' and 'c' or 'r'
	local rows = n > 0 and call('ZRANGE', set, 0, n - 1, 'WITHSCORES') or {}
	for i = 1, #rows, 2 do
		local h = call('HMGET', key(k, rows[i]), 'fn', 'kind', 'end', 'why', 'att', 'cxl', 'n')
		local at, note = ROW[what](rows[i], tonumber(h[7] or 0), now, h[1] or '')
		local age, in_ms = math.max(now - rows[i + 1], 0), at and text(math.max(tonumber(at) - now, 0)) or ''
		for _, s in ipairs({rows[i], h[1] or '', h[2] or '', text(age), in_ms, h[3] or '', h[6] or h[4] or '', h[5] or '0', note}) do
			reply[#reply + 1] = s
		end
	end
	reply[2] = text(#rows / 2)
	return reply
end

-- The hash, of a shard what is not its event.
local function show(R)
	local id = R.id('run')
	R.finish()
	local k = call('EXISTS', key('r', id)) == 1 and 'r' or 'c'
	local fields, out = call('HGETALL', key(k, id)), {'OK'}
	if #fields == 0 then return {'NONE'} end
	for _, s in ipairs(fields) do out[#out + 1] = s end
	local s = k == 'r' and call('HGETALL', key('s', id)) or {}
	for i = 1, #s, 2 do
		if s[i]:find('%.') then out[#out + 1], out[#out + 2] = 'shard.' .. s[i], s[i + 1] end
	end
	return out
end

-- Audit: the hashes are right, what an index lacks is put back ---------------------------------------------------------

local function ensure(fixed, queue, member, after_ms)
	if call('ZSCORE', P .. 'q:' .. queue, member) then return end
	due(queue, member, after_ms)
	fixed[#fixed + 1] = queue .. ' ' .. member
end

local function ensure_state(fixed, id, state, since, states)
	for _, other in ipairs(STATES) do
		local set, is_in = P .. 'st:' .. other, states[other] and other == state
		if is_in and not call('ZSCORE', set, id) then
			call('ZADD', set, since, id)
			fixed[#fixed + 1] = state .. ' ' .. id
		elseif not is_in and states[other] and call('ZREM', set, id) == 1 then
			fixed[#fixed + 1] = 'not ' .. other .. ' ' .. id
		end
	end
end

local function ensure_end(fixed, k, seconds)
	if call('TTL', k) ~= -1 then return end
	call('EXPIRE', k, seconds)
	fixed[#fixed + 1] = 'expiry ' .. k:sub(#P + 1)
end

local MEND = {} -- by kind of key

function MEND.c(id, fixed)
	local c = call('HMGET', key('c', id), 'st', 'fn', 'created')
	local f = key('f', c[2] or '')
	ensure_state(fixed, id, c[1], c[3], LIVE_CHANGE)
	if c[1] ~= 'queued' then return ensure_end(fixed, key('c', id), KEEP_CHANGE_S) end
	local pend = get(f, 'pend')
	if pend == '' then
		call('HSET', f, 'pend', id)
		fixed[#fixed + 1] = 'pend ' .. id
	elseif pend ~= id then
		close_change(id, 'cancelled', 'audit', 'superseded')
		fixed[#fixed + 1] = 'not pend ' .. id
		return
	end
	ensure(fixed, 'new', id)
end

local MEND_RUN = {}

function MEND_RUN.planned(run, fn, fixed)
	if not call('LPOS', key('fq', fn), run) then
		call('RPUSH', key('fq', fn), run)
		fixed[#fixed + 1] = 'fq ' .. run
	end
end

function MEND_RUN.active(run, fn, fixed)
	if get(key('f', fn), 'act') == '' then
		call('HSET', key('f', fn), 'act', run)
		fixed[#fixed + 1] = 'act ' .. run
	end
	for i = 0, num(key('r', run), 'n') - 1 do -- who holds it may be well and beats again
		if get(key('s', run), i .. '.st') ~= 'done' then ensure(fixed, 'lease', run .. '/' .. i, LEASE_MAX_MS) end
	end
end

function MEND_RUN.measured(run, _, fixed) ensure(fixed, 'meas', run) end

function MEND_RUN.judged(run, fn, fixed)
	local entry = 'f:' .. run .. '.' .. get(key('r', run), 'rev')
	if not call('LPOS', key('out', fn), entry) then
		tell(fn, entry)
		fixed[#fixed + 1] = 'out ' .. entry
	end
	if get(key('r', run), 'told') == '' then ensure(fixed, 'meas', run) end
end

function MEND_RUN.published(run, _, fixed)
	for _, k in ipairs(run_keys(run)) do ensure_end(fixed, k, KEEP_RUN_S) end
end

function MEND.r(run, fixed)
	local r = call('HMGET', key('r', run), 'st', 'fn', 'upd', 'end', 'dropped')
	if not MEND_RUN[r[1]] then return end
	ensure_state(fixed, run, r[1], r[3], LIVE_RUN)
	MEND_RUN[r[1]](run, r[2], fixed)
	if r[4] == 'dead' and not r[5] and not call('ZSCORE', P .. 'dead', run) then
		call('ZADD', P .. 'dead', r[3], run)
		fixed[#fixed + 1] = 'dead ' .. run
	end
end

function MEND.f(fn, fixed)
	local f = key('f', fn)
	local act, pend = get(f, 'act'), get(f, 'pend')
	if act ~= '' and get(key('r', act), 'st') ~= 'active' then
		call('HDEL', f, 'act')
		fixed[#fixed + 1] = 'not act ' .. act
	end
	if pend ~= '' and get(key('c', pend), 'st') ~= 'queued' then
		call('HDEL', f, 'pend')
		fixed[#fixed + 1] = 'not pend ' .. pend
	end
end

function MEND.fq(fn, fixed)
	for _, run in ipairs(call('LRANGE', key('fq', fn), 0, -1)) do
		if get(key('r', run), 'st') ~= 'planned' then
			leave_line(run, fn)
			fixed[#fixed + 1] = 'not fq ' .. run
		end
	end
	local head = call('LINDEX', key('fq', fn), 0)
	if head and get(key('f', fn), 'act') == '' and not call('ZSCORE', P .. 'q:run', head) then
		promote(fn)
		fixed[#fixed + 1] = 'run ' .. head
	end
end

function MEND.out(fn, fixed) ensure(fixed, 'out', fn) end

-- At the end of a pass, when all leases are in order again: what active runs occupy, and names of what is gone.
local function mend_whole(fixed)
	local use, found = {}, call('HGETALL', P .. 'res')
	for _, run in ipairs(call('ZRANGE', P .. 'st:active', 0, -1)) do
		for name, amount in each_resource(resources(run)) do use[name] = (use[name] or 0) + amount end
	end
	for i = 1, #found, 2 do
		if (use[found[i]] or 0) == tonumber(found[i + 1]) then use[found[i]] = nil else use[found[i]] = use[found[i]] or 0 end
	end
	local names = {}
	for name in pairs(use) do names[#names + 1] = name end
	table.sort(names)
	for _, name in ipairs(names) do
		if use[name] > 0 then call('HSET', P .. 'res', name, text(use[name])) else call('HDEL', P .. 'res', name) end
		fixed[#fixed + 1] = 'res ' .. name
	end
	for _, run in ipairs(call('ZRANGE', P .. 'dead', 0, LIST_MAX - 1)) do -- expired: nothing is wrong
		if call('EXISTS', key('r', run)) == 0 then call('ZREM', P .. 'dead', run) end
	end
end

local AUDIT_KEYS = 100 -- about 1 ms

local function audit(R)
	local cursor, fixed = R.text('cursor'), {}
	R.finish()
	if not cursor:find('^%d+$') then bad('cursor') end
	local page = call('SCAN', cursor, 'MATCH', P .. '*', 'COUNT', AUDIT_KEYS)
	table.sort(page[2])
	for _, k in ipairs(page[2]) do
		local kind, id = k:sub(#P + 1):match('^(%l+):(.+)$')
		if MEND[kind] then MEND[kind](id, fixed) end
	end
	if page[1] == '0' then mend_whole(fixed) end
	for _, what in ipairs(fixed) do journal('', '', '', '', 'audit', what) end
	return {'OK', page[1], unpack(fixed)}
end

-- Registration ---------------------------------------------------------------------------------------------------------

local READS = {'no-writes', 'allow-stale'}
-- When Redis is full only the intake is refused (OOM): what was accepted must come to its end, and frees memory there.
local MOVES = {'allow-oom'}
local INTAKE = {}

local FUNCTIONS = {
	{'pl_ingest', ingest, INTAKE}, {'pl_report', report, INTAKE},
	{'pl_changes', changes, MOVES}, {'pl_plan', plan, MOVES}, {'pl_lease', lease, MOVES}, {'pl_beat', beat, MOVES},
	{'pl_fail', fail, MOVES}, {'pl_shard', shard, MOVES}, {'pl_measured', measured, MOVES}, {'pl_judge', judge, MOVES},
	{'pl_told', told, MOVES}, {'pl_out', out, MOVES}, {'pl_delivered', delivered, MOVES}, {'pl_out_done', out_done, MOVES},
	{'pl_put', put_docs, MOVES}, {'pl_loaders', loaders, MOVES}, {'pl_reap', reap, MOVES}, {'pl_audit', audit, MOVES},
	{'pl_cancel', cancel, MOVES}, {'pl_dead', dead, MOVES},
	{'pl_ready', ready, READS}, {'pl_docs', docs, READS}, {'pl_status', status, READS}, {'pl_list', list, READS},
	{'pl_show', show, READS}, {'pl_version', function() return {'OK', VERSION} end, READS},
}

for i = 1, #FUNCTIONS do
	local f = FUNCTIONS[i]
	local run = f[2]
	redis.register_function({function_name = f[1], flags = f[3], callback = function(_, args)
		kicks = {}
		local reply = run(reader(args))
		for _, queue in ipairs(QUEUES) do
			if kicks[queue] then call('PUBLISH', P .. 'kick', queue) end
		end
		return reply
	end})
end
