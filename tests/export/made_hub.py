"""A model hub of one bundle on this machine, and its own package asked for it: `made_hub.py FOLDER`."""

import hashlib
import http.server
import json
import os
import sys
import threading
import urllib.parse
from pathlib import Path

REPOSITORY, COMMIT = "lab/ecg-s", "a" * 40


class Hub(http.server.BaseHTTPRequestHandler):
    """The three questions that a download asks: which commit, which files, and the files."""

    folder: Path

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        about = f"/api/models/{REPOSITORY}"
        if path in (f"{about}/revision/main", f"{about}/revision/refs/pr/1"):
            self.answer(json.dumps({"id": REPOSITORY, "sha": COMMIT, "siblings": []}).encode())
        elif path.startswith(f"{about}/tree/{COMMIT}"):
            files = [(file.name, file.stat().st_size) for file in sorted(self.folder.iterdir())]
            tree = [{"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in files]
            self.answer(json.dumps(tree).encode())
        elif path.startswith(f"/{REPOSITORY}/resolve/{COMMIT}/"):
            self.answer((self.folder / Path(path).name).read_bytes())
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def answer(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


def main() -> None:
    Hub.folder = Path(sys.argv[1])
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["HF_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"  # read when the package is imported

    import coreecg_jax

    for revision in ("main", "refs/pr/1"):
        print(revision, coreecg_jax.load(f"hf://{REPOSITORY}@{revision}").description.training.step)
    try:
        coreecg_jax.load("hf://lab/other")
        absent = "loaded"
    except FileNotFoundError as error:
        absent = type(error).__name__
    server.shutdown()
    server.server_close()
    print("gone", coreecg_jax.load(f"hf://{REPOSITORY}").description.training.step)
    print("never there:", absent)


if __name__ == "__main__":
    main()
