// The event stream codec of AWS's SDK for JavaScript, a line in and a line out: {"encode": [message, ...]} gives {"hex": ...}, {"decode": hex} gives
// {"messages": [...], "error": null or a sentence}. A message is {"headers": [[name, type, value]], "payload": hex}; integers are decimal strings, bytes hex.
// usage: smithy_codec.mjs FOLDER, where FOLDER/node_modules has @smithy/eventstream-codec
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { EventStreamCodec, Int64 } = createRequire(process.argv[2] + "/")("@smithy/eventstream-codec");
const codec = new EventStreamCodec(bytes => Buffer.from(bytes).toString("utf8"), text => Buffer.from(text, "utf8"));
const types = ["boolean", "boolean", "byte", "short", "integer", "long", "binary", "string", "timestamp", "uuid"];

const dashes = hex => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

function toHeader([, type, value]) {
    switch (type) {
    case 0: case 1: return { type: "boolean", value: type === 0 };
    case 2: case 3: case 4: return { type: types[type], value: Number(value) };
    case 5: return { type: "long", value: big(BigInt(value)) };
    case 6: return { type: "binary", value: Buffer.from(value, "hex") };
    case 7: return { type: "string", value };
    case 8: return { type: "timestamp", value: new Date(Number(value)) };
    default: return { type: "uuid", value: dashes(value) };
    }
}

function big(n) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(n);
    return new Int64(new Uint8Array(bytes));
}

function fromHeader(name, { type, value }) {
    switch (type) {
    case "boolean": return [name, value ? 0 : 1, ""];
    case "long": return [name, 5, Buffer.from(value.bytes).readBigInt64BE().toString()];
    case "binary": return [name, 6, Buffer.from(value).toString("hex")];
    case "string": return [name, 7, value];
    case "timestamp": return [name, 8, String(value.getTime())];
    case "uuid": return [name, 9, value.replaceAll("-", "")];
    default: return [name, types.indexOf(type), String(value)];
    }
}

function encode(messages) {
    return { hex: Buffer.concat(messages.map(({ headers, payload }) => codec.encode({
        headers: Object.fromEntries(headers.map(header => [header[0], toHeader(header)])), body: Buffer.from(payload, "hex"),
    }))).toString("hex") };
}

function decode(hex) {
    const messages = [];
    let bytes = Buffer.from(hex, "hex");
    try {
        while (bytes.length !== 0) {
            const length = bytes.length < 4 ? bytes.length : Math.min(bytes.length, bytes.readUInt32BE(0));
            const { headers, body } = codec.decode(bytes.subarray(0, length));
            messages.push({ headers: Object.entries(headers).map(([name, header]) => fromHeader(name, header)), payload: Buffer.from(body).toString("hex") });
            bytes = bytes.subarray(length);
        }
    } catch (error) {
        return { messages, error: String(error) };
    }
    return { messages, error: null };
}

createInterface({ input: process.stdin }).on("line", line => {
    const ask = JSON.parse(line);
    process.stdout.write(JSON.stringify(ask.encode ? encode(ask.encode) : decode(ask.decode)) + "\n");
});
