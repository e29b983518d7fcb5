// Two identity providers that others wrote: oidc-provider (of the OpenID Foundation's certified ones) and oauth2-mock-server. A line of JSON on stdin is answered by one:
//   {"provider": "oidc-provider", "kids": ["a", "b"], "signs": "a"}   starts it, or gives it these keys -> {"issuer"}
//   {"provider": "...", "token": true}                               -> {"token"}
// argv[2]: where the packages are installed.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { generateKeyPairSync } from "node:crypto";
import { pathToFileURL } from "node:url";

const resolve = createRequire(`${process.argv[2]}/package.json`).resolve;
const load = (name) => import(pathToFileURL(resolve(name)));
const AUDIENCE = "api://gatehouse";
const keys = {};
const jwk = (kid) => (keys[kid] ??= { ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" });

const certified = {
    async set({ kids, signs }) {
        const { default: Provider } = await load("oidc-provider");
        if (!this.server) {
            this.server = createServer((request, answer) => this.handle(request, answer));
            await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
            this.issuer = `http://127.0.0.1:${this.server.address().port}`;
        }
        const ordered = [signs, ...kids.filter((kid) => kid !== signs)].map(jwk);
        this.handle = new Provider(this.issuer, {
            clients: [{ client_id: "red-client", client_secret: "of-the-tests", grant_types: ["client_credentials"], redirect_uris: [], response_types: [], id_token_signed_response_alg: "ES256" }],
            jwks: { keys: ordered },
            features: {
                devInteractions: { enabled: false },
                clientCredentials: { enabled: true },
                resourceIndicators: {
                    enabled: true, defaultResource: () => AUDIENCE,
                    getResourceServerInfo: () => ({ scope: "ask", audience: AUDIENCE, accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } }),
                },
            },
        }).callback();
        return { issuer: this.issuer };
    },
    async token() {
        const answer = await fetch(`${this.issuer}/token`, { method: "POST", body: new URLSearchParams({ grant_type: "client_credentials", resource: AUDIENCE }),
            headers: { authorization: "Basic " + Buffer.from("red-client:of-the-tests").toString("base64") } });
        const body = await answer.json();
        if (!body.access_token) throw new Error(JSON.stringify(body));
        return { token: body.access_token };
    },
};

const mock = {
    async set({ kids, signs }) {
        const { OAuth2Server } = await load("oauth2-mock-server");
        const port = this.server ? this.server.address().port : 0;
        if (this.server) await this.server.stop();
        this.server = new OAuth2Server();
        for (const kid of kids) await this.server.issuer.keys.add(jwk(kid));
        await this.server.start(port, "127.0.0.1");
        this.server.issuer.url = `http://127.0.0.1:${this.server.address().port}`;
        this.signs = signs;
        return { issuer: this.server.issuer.url };
    },
    async token() {
        return { token: await this.server.issuer.buildToken({ kid: this.signs, expiresIn: 600, scopesOrTransform: (header, payload) => {
            Object.assign(payload, { aud: AUDIENCE, sub: "anna", client_id: "red-client" });
        } }) };
    },
};

const providers = { "oidc-provider": certified, "oauth2-mock-server": mock };
for await (const line of createInterface({ input: process.stdin })) {
    const asked = JSON.parse(line);
    try {
        const one = providers[asked.provider];
        process.stdout.write(JSON.stringify(asked.token ? await one.token() : await one.set(asked)) + "\n");
    } catch (error) {
        process.stdout.write(JSON.stringify({ error: String(error.stack) }) + "\n");
    }
}
