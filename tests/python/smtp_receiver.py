"""A mail server on loopback that keeps what it gets: the port goes to standard output, each message to a file of the folder.

    python smtp_receiver.py FOLDER
"""

import pathlib
import socket
import sys
import time

from aiosmtpd.controller import Controller

folder = pathlib.Path(sys.argv[1])


class Keep:
    count = 0

    async def handle_DATA(self, server, session, envelope):
        Keep.count += 1
        text = f"to {','.join(envelope.rcpt_tos)} from {envelope.mail_from}\n".encode() + envelope.content
        part = folder / f".{Keep.count}"
        part.write_bytes(text)
        part.rename(folder / f"{Keep.count}.eml")
        return "250 taken"


# The controller calls its own port to see whether it answers, so that it must know it.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
controller = Controller(Keep(), hostname="127.0.0.1", port=port)
controller.start()
print(port, flush=True)
# It is ended from outside; this is for when nobody does.
time.sleep(600)
