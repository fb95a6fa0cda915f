"""An independent mail server for tests: aiosmtpd on a free port of the loopback interface.

The one argument is a JSON object of options:
  dsn         offer delivery reports (RFC 3461); default true
  tls         "none", "starttls" or "implicit"; with "certificate" and "key", paths of PEM files
  auth        {"user", "password"}: demand this before any mail
  mechanism   offer only this mechanism of authentication, "PLAIN" or "LOGIN"; any other word: none
  reply_delay  seconds until the reply to a message
  refuse      answer this command, "EHLO", "MAIL" or "DATA", with 554
  greeting    what to say instead of 220, before hanging up; "hang": say nothing and keep the connection

What happens to a message depends on the local part of its recipient:
  greylist    451 the first time, taken the second
  unknown     550 at RCPT
  busy        421 at RCPT, and the connection is closed
  full        552 after DATA
  later       452 after DATA
  dropped     taken, but the connection breaks instead of a reply
  closed      the connection breaks at RCPT
  hang        no reply to the message, ever
  slow        the reply to RCPT comes byte by byte, and never ends
  flood       the reply to RCPT has lines without end
  line        the reply to RCPT is one line without end
  garbage     the reply to RCPT is none
  echo        the reply to RCPT repeats the password
Whatever begins with one of these words and a hyphen is treated like it. Everybody else takes everything.

Events go to the standard output, one JSON object per line. Requests come from the standard input likewise:
  {"op": "report", "action", "status", "return_path", "envelope_id", "recipient", "diagnostic"}
              answers {"event": "report", "message"}: a delivery report (RFC 3464) in base64
  {"op": "letter", "return_path", "automatic"}
              answers {"event": "letter", "message"}: a letter that is no report
  {"op": "bounce", "command", "directory", "recipient", "action", "status", "forged"}
              pipes a report on the last message to this recipient into the command, as a mail server does it, with one sign of the
              return path altered if it is to be forged; answers {"event": "bounced", "exit", "said"}
  {"op": "verify_dkim", "message", "record"}
              answers {"event": "verified", "valid"}: whether dkimpy accepts the signature, given the DNS record
The server ends when its standard input does.
"""

import asyncio
import base64
import json
import os
import re
import ssl
import subprocess
import sys
import threading
from email.message import Message
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from aiosmtpd.smtp import SMTP, AuthResult

SCRIPTS = "greylist unknown busy full later dropped closed hang slow flood line garbage echo".split()
REFUSAL = "554 5.7.1 Not from you"
TAKEN = {}
DSN_PARAMETERS = {"RET", "ENVID", "NOTIFY", "ORCPT"}


def emit(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def script_of(address):
    local = address.split("@")[0]
    return next((word for word in SCRIPTS if local == word or local.startswith(word + "-")), None)


class Server(SMTP):
    """Offers and understands delivery reports, which aiosmtpd by itself does not."""

    def __init__(self, handler, options, **arguments):
        super().__init__(handler, **arguments)
        self.options = options

    def _getparams(self, params):
        found = super()._getparams(params)
        if found is not None and self.options.get("dsn", True):
            return {name: value for name, value in found.items() if name not in DSN_PARAMETERS}
        return found

    async def _handle_client(self):
        greeting = self.options.get("greeting")
        emit("connected")
        if greeting == "hang":
            await asyncio.Event().wait()
        if greeting:
            await self.push(greeting)
            self.transport.close()
            return
        await super()._handle_client()

    async def smtp_EHLO(self, arg):
        if self.options.get("refuse") == "EHLO":
            return await self.push(REFUSAL)
        await super().smtp_EHLO(arg)

    async def smtp_DATA(self, arg):
        if self.options.get("refuse") == "DATA":
            return await self.push(REFUSAL)
        await super().smtp_DATA(arg)

    async def smtp_MAIL(self, arg):
        if self.options.get("refuse") == "MAIL":
            return await self.push(REFUSAL)
        self.session.mail_command = arg
        await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg):
        self.session.rcpt_command = arg
        await super().smtp_RCPT(arg)

    async def smtp_QUIT(self, arg):
        emit("quit")
        await super().smtp_QUIT(arg)


class Handler:
    """Does with each message what the local part of its recipient asks for."""

    def __init__(self, options):
        self.options = options
        self.greylisted = set()

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        last = responses.pop()
        if self.options.get("dsn", True):
            responses.append("250-DSN")
        return responses + [last]

    async def handle_RCPT(self, server, session, envelope, address, options):
        script = script_of(address)
        if script == "greylist" and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 Greylisted, come back later"
        if script == "busy":
            await server.push("421 4.3.2 Closing down")
            server.transport.close()
            await asyncio.Event().wait()
        if script == "closed":
            server.transport.abort()
            await asyncio.Event().wait()
        if script == "slow":
            server._writer.write(b"250 ")
            await self.endless(server, b"a", 0.05)
        if script == "flood":
            await self.endless(server, b"250-more\r\n" * 50, 0)
        if script == "line":
            await self.endless(server, b"250 " + b"a" * 4096, 0)
        replies = {
            "unknown": "550 5.1.1 User unknown",
            "garbage": "what?",
            "echo": "550 5.7.1 not for " + self.options.get("auth", {}).get("password", ""),
        }
        if script in replies:
            return replies[script]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    @staticmethod
    async def endless(server, piece, pause):
        while not server.transport.is_closing():
            server._writer.write(piece)
            await server._writer.drain()
            await asyncio.sleep(pause)

    async def handle_DATA(self, server, session, envelope):
        script = script_of(envelope.rcpt_tos[0])
        if script == "full":
            return "552 5.3.4 Message too big"
        if script == "later":
            return "452-4.3.1 Insufficient\r\n452 4.3.1 system storage"
        named = re.search(r"ENVID=(\S+)", session.mail_command)
        TAKEN[envelope.rcpt_tos[0]] = (envelope.mail_from, named.group(1) if named else "")
        emit(
            "message",
            mail=session.mail_command,
            rcpt=session.rcpt_command,
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            message=base64.b64encode(envelope.original_content).decode(),
            hello=session.host_name,
            encrypted=server.transport.get_extra_info("sslcontext") is not None,
            user=session.auth_data.decode() if session.authenticated else None,
        )
        await asyncio.sleep(self.options.get("reply_delay", 0))
        if script == "dropped":
            server.transport.abort()
        if script in ("dropped", "hang"):
            await asyncio.Event().wait()
        return "250 2.0.0 Ok: queued as 4C1F0A"


def report(request):
    message = MIMEMultipart("report", **{"report-type": "delivery-status"})
    message["From"] = "MAILER-DAEMON@mx.example.com"
    message["To"] = request["return_path"]
    message["Subject"] = "Delivery Status Notification"
    message["Auto-Submitted"] = "auto-replied"
    message.attach(MIMEText("This is what became of your message: Übermittlung.", "plain", "utf-8"))
    of_message, of_recipient = Message(), Message()
    of_message["Reporting-MTA"] = "dns; mx.example.com"
    of_message["Original-Envelope-Id"] = request["envelope_id"]
    of_recipient["Original-Recipient"] = "rfc822; " + request["recipient"]
    of_recipient["Final-Recipient"] = "rfc822; " + request["recipient"]
    of_recipient["Action"] = request["action"]
    of_recipient["Status"] = request["status"]
    if request.get("diagnostic"):
        of_recipient["Diagnostic-Code"] = "smtp; " + request["diagnostic"]
    status = MIMEBase("message", "delivery-status")
    status.set_payload([of_message, of_recipient])
    message.attach(status)
    message.attach(MIMEText("Subject: quoted\n", "rfc822-headers"))
    return message


def letter(request):
    message = MIMEText("I am away. Action: delivered, Status: 2.0.0", "plain", "utf-8")
    message["From"] = "desk@example.com"
    message["To"] = request["return_path"]
    message["Subject"] = "Away"
    if request.get("automatic"):
        message["Auto-Submitted"] = "auto-replied (vacation)"
    return message


def verified(request):
    import dkim

    record = request["record"].encode()
    try:
        return dkim.verify(base64.b64decode(request["message"]), dnsfunc=lambda name, timeout=5: record)
    except dkim.DKIMException:
        return False


def bounced(request):
    return_path, envelope_id = TAKEN[request["recipient"]]
    if request["forged"]:
        at = return_path.index("@") - 1
        return_path = return_path[:at] + ("0" if return_path[at] != "0" else "1") + return_path[at + 1 :]
    message = report({**request, "return_path": return_path, "envelope_id": envelope_id})
    done = subprocess.run(
        [*request["command"], "--recipient", return_path],
        input=message.as_bytes(),
        stderr=subprocess.PIPE,
        cwd=request["directory"],
        env={},
    )
    emit("bounced", exit=done.returncode, said=done.stderr.decode())


def answer(request):
    if request["op"] == "bounce":
        return bounced(request)
    if request["op"] == "verify_dkim":
        emit("verified", valid=verified(request))
        return
    message = {"report": report, "letter": letter}[request["op"]](request)
    encoded = message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    emit(request["op"], message=base64.b64encode(encoded).decode())


def authenticator(options):
    expected = options.get("auth")

    def check(server, session, envelope, mechanism, data):
        known = data.login == expected["user"].encode() and data.password == expected["password"].encode()
        return AuthResult(success=known, handled=False, auth_data=data.login if known else None)

    return check if expected else None


def factory(options, context):
    handler = Handler(options)
    tls = options.get("tls", "none")
    arguments = {
        "hostname": "relay.test",
        "authenticator": authenticator(options),
        "auth_required": "auth" in options,
        "auth_require_tls": tls == "starttls",
        "tls_context": context if tls == "starttls" else None,
        "require_starttls": tls == "starttls",
        "auth_exclude_mechanism": [
            name for name in ("PLAIN", "LOGIN") if options.get("mechanism") and name != options["mechanism"]
        ],
    }
    return lambda: Server(handler, options, **arguments)


async def serve(options):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    context = None
    if options.get("tls", "none") != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options["certificate"], options["key"])
    implicit = context if options.get("tls") == "implicit" else None
    server = await loop.create_server(factory(options, context), "127.0.0.1", 0, ssl=implicit)
    emit("listening", port=server.sockets[0].getsockname()[1])
    ended = asyncio.Event()

    def read():
        for line in sys.stdin:
            answer(json.loads(line))
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=read, daemon=True).start()
    await ended.wait()


def main():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.run_until_complete(serve(json.loads(sys.argv[1])))
    # Conversations that hang by request are left hanging.
    sys.stdout.flush()
    os._exit(0)


main()
