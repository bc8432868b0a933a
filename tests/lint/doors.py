"""One library, one door: each library's headers are included in one folder only."""
import re

from tree import includes

# header pattern, folders that may include it
DOORS = [
    (r"jansson\.h", ["common/json"]),
    (r"yaml\.h", ["common/config"]),
    (r"curl/.*", ["common/http"]),
    (r"zlib\.h", ["common/stats"]),
    (r"sqlite3.*\.h", ["common/archive"]),
    (r"openssl/.*", ["common/digest", "common/engine"]),
    (r"sys/epoll\.h", ["common/base", "common/engine"]),
    (r"sys/signalfd\.h", ["common/base"]),
    (r"pthread\.h", []),
    (r"hiredis/.*", ["common/redis"]),
    (r"zmq\.h", ["common/bus"]),
    (r"microhttpd\.h", ["common/health"]),
    (r"nghttp2/.*", ["common/engine"]),
    (r"sodium.*|libpq-fe\.h", []),
]


def check(tree):
    for name in tree.files(".c", ".h", under="common/") + tree.files(".c", ".h", under="cmd/"):
        for line, what, _ in includes(tree, name):
            for pattern, folders in DOORS:
                if re.fullmatch(pattern, what) and not any(name.startswith(f + "/") for f in folders):
                    yield f"{name}:{line}: <{what}> belongs to {' and '.join(folders) or 'nobody yet'}"
