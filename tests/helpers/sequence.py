"""A target whose latencies are the same however its calls are shared out: what several loaders measure can be held against
what one does.

	with Sequence() as target:
		... target.url ...
	percentiles(run_finished["data"])		# {50: 90.1, 99: 139.2}, of the new version, in ms
"""
import asyncio
import re
import threading


class Sequence:
    """Answers after the times of a fixed sequence, 40 to 140 ms, in the order in which calls come: however they are
    shared out, all together have seen the same latencies."""

    def __enter__(self):
        self.count, self.loop = 0, asyncio.new_event_loop()
        self.server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=256))
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def next_s(self):
        at, share, n = 0.0, 0.5, self.count
        self.count += 1
        while n:
            at, share, n = at + share * (n & 1), share / 2, n >> 1
        return 0.04 + 0.1 * at

    async def serve(self, reader, writer):
        try:
            while True:
                began, wait_s = self.loop.time(), None
                head = await reader.readuntil(b"\r\n\r\n")
                began, wait_s = self.loop.time(), self.next_s()
                size = re.search(rb"(?i)content-length: (\d+)", head)
                await reader.readexactly(int(size.group(1)) if size else 0)
                await asyncio.sleep(began + wait_s - self.loop.time())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def percentiles(data):
    from hdrh.histogram import HdrHistogram
    h = HdrHistogram.decode(data["histograms"]["new"]["response"])
    return {p: h.get_value_at_percentile(p) / 1000 for p in (50, 99)}
