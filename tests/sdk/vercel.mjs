// Vercel's ai: one question a line, {provider, base, key, model, stream, call}, and one line back: its final object, whatever the provider, or its error.
// call: arguments of generateText, tools with their schemas as JSON.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const load = name => import(pathToFileURL(require.resolve(name)));
const { generateText, jsonSchema, streamText, tool } = await load("ai");
const makers = {
    openai: (await load("@ai-sdk/openai")).createOpenAI, anthropic: (await load("@ai-sdk/anthropic")).createAnthropic,
    azure: (await load("@ai-sdk/azure")).createAzure, bedrock: (await load("@ai-sdk/amazon-bedrock")).createAmazonBedrock,
};

function model({ provider, base, key, model }) {
    const [maker, kind] = provider.split(".");
    const credential = typeof key === "string" ? { apiKey: key } : { accessKeyId: key[0], secretAccessKey: key[1], sessionToken: key[2] };
    const path = { openai: "/v1", anthropic: "/v1", azure: "/openai", bedrock: "" }[maker];
    const more = { bedrock: { region: "eu-central-1" }, azure: { apiVersion: "2024-10-21", useDeploymentBasedUrls: true } }[maker];
    const made = makers[maker]({ baseURL: base + path, ...credential, ...more });
    return kind ? made[kind](model) : made(model);
}

function tools(given) {
    return given && Object.fromEntries(Object.entries(given).map(([name, { description, schema }]) => [name, tool({ description, inputSchema: jsonSchema(schema) })]));
}

function usage({ inputTokens, outputTokens, totalTokens, inputTokenDetails, outputTokenDetails }) {
    return { inputTokens, outputTokens, totalTokens, cached: inputTokenDetails?.cacheReadTokens ?? 0, written: inputTokenDetails?.cacheWriteTokens ?? 0,
        reasoning: outputTokenDetails?.reasoningTokens ?? 0 };
}

async function ask(question) {
    const asked = { maxRetries: 0, ...question.call, model: model(question), tools: tools(question.call.tools) };
    const parts = [];
    let found;
    if (question.stream) {
        let failed;
        found = streamText({ ...asked, onError: ({ error }) => { failed = error; } });
        for await (const part of found.fullStream) {
            parts.push(part.type);
        }
        if (failed) {
            throw failed;
        }
    } else {
        found = await generateText(asked);
    }
    return { text: await found.text, reasoning: await found.reasoningText ?? "", finish: await found.finishReason, usage: usage(await found.usage),
        calls: (await found.toolCalls).map(({ toolCallId, toolName, input }) => [toolCallId, toolName, input]) };
}

createInterface({ input: process.stdin }).on("line", async line => {
    let answer;
    try {
        answer = await ask(JSON.parse(line));
    } catch (error) {
        answer = { error: error?.name ?? String(error), status: error?.statusCode ?? null, said: error?.message ?? JSON.stringify(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
});
