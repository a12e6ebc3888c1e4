"""The warehouse's service: answers every path in JSON after ``PLANTED_LATENCY_MS``; prints its address.

It ends when its standard input does.
"""

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LATENCY_S = float(os.environ.get("PLANTED_LATENCY_MS", "20")) / 1000


class Warehouse(BaseHTTPRequestHandler):
    """Answers by the path alone: the same question always gets the same answer."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        """Answer after a while, as a service across town does."""
        time.sleep(LATENCY_S)
        body = json.dumps({"path": self.path, "units": sum(self.path.encode()) % 97}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Keep standard error for errors."""


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Warehouse)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()
