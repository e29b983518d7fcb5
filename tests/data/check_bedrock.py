#!/usr/bin/env python3
"""
Paths, hosts and chunks of Bedrock's native API through build/tests/tools/aws_request. Hosts are those of botocore's endpoint rules for every region it knows;
paths are what botocore serializes, and are read back; what is no such path or id is refused.

    tests/data/check_bedrock.py [--tool build/tests/tools/aws_request] [--count N] [--seed N]
"""
import argparse
import base64
import itertools
import json
import pathlib
import random
import sys
import urllib.parse

import botocore.loaders
import botocore.model
import botocore.serialize
from botocore.endpoint_provider import EndpointProvider

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/data"))
from check_sigv4 import Tool  # noqa: E402

OPERATIONS = {"converse": "Converse", "converse-stream": "ConverseStream", "invoke": "InvokeModel", "invoke-with-response-stream": "InvokeModelWithResponseStream",
              "count-tokens": "CountTokens"}
IDS = ["anthropic.claude-sonnet-4-20250514-v1:0", "eu.amazon.nova-pro-v1:0", "openai.gpt-oss-120b-1:0", "a", "x_y", "...", "a..b",
       "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3", "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text",
       "arn:aws-us-gov:bedrock:us-gov-west-1:123456789012:custom-model/a.b/abcdef123456", "arn:aws:sagemaker:eu-west-1:123456789012:endpoint/my-endpoint", "a" * 2048]
# What Gatehouse calls them, and whether the path says that they stream.
ENDPOINTS = {"converse": ("converse", False), "converse-stream": ("converse", True), "invoke": ("invoke", False), "invoke-with-response-stream": ("invoke", True),
             "count-tokens": ("bedrock.count_tokens", False)}
NO_IDS = ["", ".", "..", "a b", "a%41", "a?b", "a#b", "é", "a\\b", "a\x7fb", "a+b", "a" * 2049, "a;b", "a@b"]


def check_hosts(tool):
    loader, count = botocore.loaders.create_loader(), 0
    partitions = loader.load_data("partitions")
    for service in ("bedrock-runtime", "bedrock"):
        rules = EndpointProvider(loader.load_service_model(service, "endpoint-rule-set-1"), partitions)
        signing = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"), service).signing_name
        for partition in partitions["partitions"]:
            regions = [region for region in partition["regions"] if not region.endswith("-global")]
            for region, fips, dual in itertools.product(regions, (False, True), (False, True)):
                url = rules.resolve_endpoint(Region=region, UseFIPS=fips, UseDualStack=dual).url
                told = tool.ask(op="host", service=service, region=region, fips=fips, dual_stack=dual)
                assert told == {"host": url.removeprefix("https://"), "signing": signing, "partition": partition["id"],
                                "read": {"service": service, "region": region, "fips": fips, "dual_stack": dual}}, (told, url)
                count += 1
    for region in ["", "eu", "eu-central", "eu-central-", "xx-central-1", "eu-central-1.evil", "eu-Central-1", "eusc-fr-east-1", "us-gov", "us-isox-east-1", "eu-central-1234"]:
        assert tool.ask(op="host", service="bedrock-runtime", region=region, fips=False, dual_stack=False)["error"] == "aws_host", region
    mantle = tool.ask(op="host", service="bedrock-mantle", region="eu-west-1", fips=False, dual_stack=False)
    assert mantle["host"] == "bedrock-mantle.eu-west-1.api.aws" and mantle["signing"] == "bedrock-mantle" and mantle["read"]["service"] == "bedrock-mantle", mantle
    for change in [{"region": "eusc-de-east-1"}, {"region": "cn-north-1"}, {"fips": True}, {"dual_stack": True}]:
        assert tool.ask(**({"op": "host", "service": "bedrock-mantle", "region": "eu-west-1", "fips": False, "dual_stack": False} | change))["error"] == "aws_host", change
    for name in ["", "x", "bedrock-runtime", "bedrock-runtime.", "bedrock-runtime.eu-west-1", "bedrock-runtime.eu-west-1.amazonaws.com.evil.com",
                 "bedrock-runtime.eu-west-1.amazonaws.eu", "bedrock-runtime.eusc-de-east-1.amazonaws.com", "bedrock-runtime.cn-north-1.amazonaws.com",
                 "Bedrock-runtime.eu-west-1.amazonaws.com", "xbedrock-runtime.eu-west-1.amazonaws.com", "bedrock-runtimes.eu-west-1.amazonaws.com",
                 "bedrock-runtime-fipsx.eu-west-1.amazonaws.com", "bedrock-runtime.eu-west-1.amazonaws.com.", "bedrock-mantle.eu-west-1.amazonaws.com",
                 "bedrock-mantle-fips.eu-west-1.api.aws", "bedrock-mantle.us-gov-west-1.api.aws", "s3.eu-west-1.amazonaws.com"]:
        assert tool.ask(op="host_read", host=name) == {}, name
    return count


def check_paths(tool, rng, count):
    model = botocore.model.ServiceModel(botocore.loaders.create_loader().load_service_model("bedrock-runtime", "service-2"), "bedrock-runtime")
    serializer = botocore.serialize.create_serializer(model.metadata["protocol"], include_validation=False)
    ids = IDS + ["".join(rng.choice("aZ9-._:/") for _ in range(rng.randrange(3, 40))) for _ in range(count)]
    for one in ids:
        for path, operation in OPERATIONS.items():
            expected = serializer.serialize_to_request({"modelId": one}, model.operation_model(operation))["url_path"]
            told = tool.ask(op="path", operation=list(OPERATIONS).index(path), id=one)
            assert told["path"] == expected == "/model/" + urllib.parse.quote(one, safe="~") + "/" + path, (told, expected)
            if path not in ENDPOINTS or len(one) > 256 or any(step in ("", ".", "..") for step in one.split("/")):
                continue                                            # no client can ask for that one: nginx takes it for another path
            read = {"endpoint": ENDPOINTS[path][0], "stream": ENDPOINTS[path][1], "id": one}
            other = "/model/" + "".join("%%%02x" % c if rng.random() < 0.5 else chr(c) for c in one.encode()).replace("/", "%2f") + "/" + path
            for spelled in [expected, other]:
                assert tool.ask(op="url", path=spelled) == read, spelled
    for one in NO_IDS:
        assert tool.ask(op="path", operation=0, id=one)["error"] == "bad_gateway", one
    for path in ["/model/%/invoke", "/model/%4/invoke", "/model/%zz/invoke", "/model/a%00/invoke", "/model/a%7f/invoke", "/model/" + "%61" * 257 + "/invoke"]:
        assert tool.ask(op="url", path=path)["error"] == "invalid_request", path
    for path in ["", "/", "/model", "/model/", "/model/a", "/model/a/", "/model/a/invokes", "/model/a/Invoke", "/model/a/invoke/", "/models/a/invoke", "//model/a/invoke",
                 "/model/a/b/invoke", "/model//a/invoke", "model/a/invoke", "/x/model/a/invoke", "/model/a/in%76oke", "/guardrail/a/version/1/apply",
                 "/model/%2e%2E/invoke", "/model/a%2f%2fb/invoke", "/model/.%2fa/invoke"]:
        assert tool.ask(op="url", path=path)["error"] == "unknown_endpoint", path
    return len(ids) * len(OPERATIONS)


def check_arns(tool):
    assert tool.ask(op="arn", id=IDS[7]) == {"partition": "aws", "service": "bedrock", "region": "eu-central-1", "account": "123456789012",
                                             "kind": "application-inference-profile", "name": "a1b2c3"}
    assert tool.ask(op="arn", id=IDS[8])["account"] == "" and tool.ask(op="arn", id=IDS[9])["name"] == "a.b/abcdef123456"
    for one in ["", "arn", "arn:aws:bedrock:eu-central-1:1", "arn:aws:bedrock:eu-central-1:1:", "arn:aws:bedrock:eu-central-1:1:a", "arn:aws:bedrock:eu-central-1:1:a/",
                "arn:aws:bedrock:eu-central-1:1:/a", "arn:x:bedrock:eu-central-1:1:a/b", "arn:aws::eu-central-1:1:a/b", "arn:aws:bedrock::1:a/b", "Arn:aws:bedrock:r:1:a/b", "eu.amazon.nova-pro-v1:0"]:
        assert tool.ask(op="arn", id=one) == {}, one


def check_chunks(tool, rng, count):
    for _ in range(count):
        event = rng.randbytes(rng.randrange(200))
        text = base64.b64encode(event).decode()
        assert tool.ask(op="chunk_write", hex=event.hex())["payload"] == json.dumps({"bytes": text}, separators=(",", ":"))
        payload = json.dumps({"p": "abc", "bytes": text, "x": [{}]}).replace("/", rng.choice(["/", "\\/", "\\u002f"]))
        assert tool.ask(op="chunk_read", payload=payload) == {"hex": event.hex()}, payload
    for payload in ["", "x", "[]", "{}", '{"bytes":5}', '{"bytes":null}', '{"bytes":"a"}', '{"bytes":"YQ"}', '{"bytes":"YR=="}', '{"bytes":"YQ==","bytes":"YQ=="}', '{"bytes":"YQ=="',
                    '{"bytes":"YQ=="}x', '{"bytes":"YQ==\\n"}', '{"bytes":"-_=="}']:
        assert tool.ask(op="chunk_read", payload=payload)["error"] == "bedrock_chunk", payload


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", default=ROOT / "build/tests/tools/aws_request")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", default="1")
    options = parser.parse_args()
    rng, tool = random.Random(options.seed), Tool(options.tool)
    hosts, paths = check_hosts(tool), check_paths(tool, rng, options.count)
    check_arns(tool)
    check_chunks(tool, rng, options.count)
    print(f"{hosts} hosts as botocore's rules say, {paths} paths as it serializes them, {options.count} chunks")


if __name__ == "__main__":
    main()
