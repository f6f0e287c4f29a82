#!/usr/bin/python3
"""RTSP cameras for tests and benchmarks, on loopback: GStreamer's RTSP server plays one clip at many addresses.

Run by the system's Python, which has GStreamer's bindings (deploy/ensure-rtsp installs them). Prints `ready PORT`, and
serves rtsp://127.0.0.1:PORT/cam-01 … until its standard input closes. With IOC_RTSP_USER and IOC_RTSP_PASSWORD set, it
asks for them (digest).

Example: /usr/bin/python3 deploy/rtsp/serve.py clip.mkv --codec h264 --cameras 37
"""

import argparse
import os
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  (the versions come first)

PAYLOADERS = {
    "h264": "h264parse ! rtph264pay config-interval=-1",
    "h265": "h265parse ! rtph265pay config-interval=-1",
    "mjpeg": "jpegparse ! rtpjpegpay",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", help="a Matroska file; the stream ends with it")
    parser.add_argument("--codec", choices=sorted(PAYLOADERS), default="h264")
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--port", default="0")
    options = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(options.port)
    user, password = os.environ.get("IOC_RTSP_USER"), os.environ.get("IOC_RTSP_PASSWORD")
    permissions = protect(server, user, password) if user and password else None
    for number in range(1, options.cameras + 1):
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(
            f'( filesrc location="{options.clip}" ! matroskademux ! {PAYLOADERS[options.codec]} name=pay0 pt=96 )'
        )
        if permissions is not None:
            factory.set_permissions(permissions)
        server.get_mount_points().add_factory(f"/cam-{number:02}", factory)
    if not server.attach(None):
        sys.exit(f"can't listen on port {options.port}")
    print(f"ready {server.get_bound_port()}", flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


def protect(server: GstRtspServer.RTSPServer, user: str, password: str) -> GstRtspServer.RTSPPermissions:
    """Only `user` may play."""
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(user, password, token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_role("viewer")
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    return permissions


if __name__ == "__main__":
    main()
