// A mail server that keeps what it is given: enough of SMTP (RFC 5321) for a sender that follows it.

import { createServer, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

export interface Mail {
  to: string[];
  subject: string;
  text: string;
}

export class MailCatcher {
  readonly mails: Mail[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<MailCatcher> {
    const server = createServer();
    const catcher = new MailCatcher(server);
    server.on("connection", (socket) => catcher.serve(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return catcher;
  }

  /** Settings with which Portico sends here. */
  get settings(): Record<string, string> {
    const { port } = this.server.address() as { port: number };
    return { "mail.host": "127.0.0.1", "mail.port": `${port}`, "mail.tls": "none" };
  }

  /** The newest link to this page that was sent to the address. */
  async link(to: string, path: string, seen = 0): Promise<string> {
    for (let waited = 0; waited < 60_000; waited += 50) {
      const links = this.mails
        .filter((mail) => mail.to.includes(to))
        .flatMap((mail) => mail.text.match(new RegExp(`https?://\\S+${path}\\?token=\\S+`))?.[0] ?? []);
      if (links.length > seen) return links.at(-1)!;
      await sleep(50);
    }
    throw new Error(`no mail with a link to ${path} came for ${to}: ${JSON.stringify(this.mails)}`);
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let [buffer, data, to] = ["", false, [] as string[]];
    const say = (line: string) => socket.write(`${line}\r\n`);
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => {
      buffer += chunk;
      for (;;) {
        const end = data ? "\r\n.\r\n" : "\r\n";
        const at = buffer.indexOf(end);
        if (at < 0) return;
        const line = buffer.slice(0, at);
        buffer = buffer.slice(at + end.length);
        if (data) {
          this.mails.push(parse(to, line));
          [data, to] = [false, []];
          say("250 kept");
          continue;
        }
        const verb = line.slice(0, 4).toUpperCase();
        if (verb === "EHLO" || verb === "HELO") say("250 catcher");
        else if (verb === "RCPT") {
          to.push(line.match(/<([^>]*)>/)?.[1] ?? "");
          say("250 ok");
        } else if (verb === "DATA") {
          data = true;
          say("354 go on");
        } else if (verb === "QUIT") {
          say("221 bye");
          socket.end();
        } else say("250 ok");
      }
    });
    say("220 catcher");
  }
}

function parse(to: string[], message: string): Mail {
  const at = message.indexOf("\r\n\r\n");
  const head = message.slice(0, at).replaceAll(/\r\n[ \t]+/g, " ");
  const header = (name: string) => head.match(new RegExp(`^${name}: (.*)$`, "im"))?.[1] ?? "";
  let text = message.slice(at + 4).replaceAll(/^\.\./gm, ".");
  if (/base64/i.test(header("Content-Transfer-Encoding"))) text = Buffer.from(text, "base64").toString("utf8");
  else if (/quoted-printable/i.test(header("Content-Transfer-Encoding")))
    text = text.replaceAll(/=\r\n/g, "").replaceAll(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return { to, subject: header("Subject"), text };
}
