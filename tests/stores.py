"""An S3 server for tests, behind a proxy that can be told to fail, and a plain web server."""

import http.client
import logging
import os
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

from curatome import objects

PIECE = 1 << 16
NEVER = "(?!)"


@dataclass
class Faults:
    """What goes wrong with requests whose `METHOD /path` matches.

    Attributes:
        denied: answered with 403.
        cut: of the answer, half of the body is sent.
        slow: seconds before each piece of the body, both ways.
        asked: every request so far.
    """

    denied: str = NEVER
    cut: str = NEVER
    slow: tuple[str, float] = (NEVER, 0.0)
    asked: list[str] = field(default_factory=list)

    def pause(self, line):
        if re.search(self.slow[0], line):
            time.sleep(self.slow[1])


def proxy_handler(port, faults):
    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            line = f"{self.command} {self.path}"
            faults.asked.append(line)
            body = b""
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                self.headers.replace_header("Transfer-Encoding", "identity")
            for _ in range(0, left := int(self.headers.get("Content-Length", 0)), PIECE):
                faults.pause(line)
                body += self.rfile.read(min(PIECE, left - len(body)))
            if re.search(faults.denied, line):
                text = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                return self.answer(403, [], b"" if self.command == "HEAD" else text)
            server = http.client.HTTPConnection("127.0.0.1", port)
            server.request(self.command, self.path, body, dict(self.headers.items()))
            reply = server.getresponse()
            content = reply.read()
            return self.answer(reply.status, reply.getheaders(), content, line)

        def answer(self, status, headers, content, line=""):
            self.send_response_only(status)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                    self.send_header(name, value)
            given = [v for name, v in headers if name.lower() == "content-length"]
            self.send_header("Content-Length", given[0] if given else str(len(content)))
            self.end_headers()
            if re.search(faults.cut, line):
                content = content[: len(content) // 2]
                self.close_connection = True
            for at in range(0, len(content), PIECE):
                faults.pause(line)
                self.wfile.write(content[at : at + PIECE])

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = forward  # noqa: N815

        def log_message(self, *_):
            pass

    return Proxy


@contextmanager
def serving(handler):
    """A server on this machine; its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def forget():
    """Let nobody go on with the server of another test."""
    import s3fs

    objects._systems.clear()
    s3fs.S3FileSystem.clear_instance_cache()


@contextmanager
def s3_server():
    """An S3 server with the bucket `bucket`, which s3fs uses here and in children; its faults."""
    import boto3
    import fsspec.config
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it prints every request otherwise
    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    faults = Faults()
    before = dict(os.environ)
    try:
        port = moto.get_host_and_port()[1]
        with serving(proxy_handler(port, faults)) as front:
            url = f"http://127.0.0.1:{front}"
            os.environ.update(
                AWS_ACCESS_KEY_ID="test",
                AWS_SECRET_ACCESS_KEY="test",
                AWS_DEFAULT_REGION="us-east-1",
                FSSPEC_S3_ENDPOINT_URL=url,
            )
            fsspec.config.conf["s3"] = {"endpoint_url": url}
            forget()
            boto3.client("s3", endpoint_url=url).create_bucket(Bucket="bucket")
            yield faults
    finally:
        fsspec.config.conf.pop("s3", None)
        forget()
        os.environ.clear()
        os.environ.update(before)
        moto.stop()


@contextmanager
def web_server(folder):
    """A plain web server of a folder, without byte ranges; its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_):
            pass

    with serving(Quiet) as port:
        yield f"http://127.0.0.1:{port}"
