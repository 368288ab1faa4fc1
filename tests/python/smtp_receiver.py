"""A mail server on loopback that keeps what it gets: the port goes to standard output, each message to a file of the folder.

    python smtp_receiver.py FOLDER
"""

import pathlib
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


controller = Controller(Keep(), hostname="127.0.0.1", port=0)
controller.start()
print(controller.server.sockets[0].getsockname()[1], flush=True)
# It is ended from outside; this is for when nobody does.
time.sleep(600)
