"""A name server on UDP whose answers a test changes while nginx runs."""
import socket
import struct
import threading
import time


class MockDns:
    """names: {"api.test": ["127.0.0.11"]}; a name with None is not answered, one missing does not exist."""

    def __init__(self, host="127.0.0.1", port=0, ttl=1):
        self.names, self.ttl, self.queries = {}, ttl, []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.host, self.port = self.sock.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    def stop(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _serve(self):
        while True:
            try:
                packet, peer = self.sock.recvfrom(4096)
                reply = self._reply(packet)
                if reply:
                    self.sock.sendto(reply, peer)
            except OSError:
                return

    def _reply(self, packet):
        """RFC 1035 section 4: one question, A answers."""
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += packet[at] + 1
        kind = struct.unpack("!H", packet[at + 1:at + 3])[0]
        question = packet[12:at + 5]
        name = ".".join(labels).lower()
        self.queries.append((time.time(), name, kind))
        if name not in self.names:
            return packet[:2] + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + question
        if self.names[name] is None:
            return None
        addresses = self.names[name] if kind == 1 else []
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, self.ttl, 4) + socket.inet_aton(one) for one in addresses)
        return packet[:2] + struct.pack("!HHHHH", 0x8180, 1, len(addresses), 0, 0) + question + answers
