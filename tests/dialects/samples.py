"""For each row of the table of asks a request that asks it: the dialect, what is put into a least request, and where the refusal says it stands."""
LEAST = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    "messages": {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
    "converse": {"messages": [{"role": "user", "content": [{"text": "hi"}]}], "inferenceConfig": {"maxTokens": 9}},
    "responses": {"model": "m", "input": "hi", "max_output_tokens": 9},
    "invoke": {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]},
}


def chat_part(part):
    return {"messages": [{"role": "user", "content": [part]}]}


def messages_block(block, role="user"):
    return {"messages": [{"role": "user", "content": "hi"}, {"role": role, "content": [block]}]}


def converse_block(block, role="user"):
    return {"messages": [{"role": "user", "content": [{"text": "hi"}]}, {"role": role, "content": [block]}]}


def model_fields(name, value, more=""):
    return "converse", {"additionalModelRequestFields": {name: value}}, f"additionalModelRequestFields.{name}{more}"


def responses_part(part):
    return {"input": [{"type": "message", "role": "user", "content": [part]}]}


def tool(**more):
    return {"tools": [{"name": "f", "input_schema": {"type": "object"}, **more}]}


PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}
FUNCTION = {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}

# what the table calls it: [(dialect, what is put in, path)]
SAMPLES = {
    "a system message behind others": [
        ("responses", {"input": [{"role": "user", "content": "hi"}, {"role": "system", "content": "s"}]}, "input[1]"),
        ("converse", converse_block({"text": "s"}, "system"), "messages[1]"),
        ("chat", {"messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "s"}]}, "messages[1]"),
        ("messages", {"messages": [{"role": "user", "content": "hi"}, {"role": "system", "content": "s"}]}, "messages[1]")],
    "developer messages": [
        ("responses", {"input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "hi"}]}, "input[0]"),
        ("chat", {"messages": [{"role": "developer", "content": "d"}, {"role": "user", "content": "hi"}]}, "messages[0]")],
    "`name` of a message": [("chat", {"messages": [{"role": "user", "content": "hi", "name": "bob"}]}, "messages[0]")],
    "images as data": [
        ("responses", responses_part({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}), "input[0].content[0]"),
        
        ("converse", converse_block({"image": {"format": "png", "source": {"bytes": "AAAA"}}}), "messages[1].content[0]"),
        ("chat", chat_part({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}), "messages[0].content[0]"),
                       ("messages", messages_block({"type": "image", "source": PNG}), "messages[1].content[0]")],
    "images but PNG, JPEG, GIF and WebP": [
        ("chat", chat_part({"type": "image_url", "image_url": {"url": "data:image/bmp;base64,AAAA"}}), "messages[0].content[0]")],
    "images by URL": [
        ("responses", responses_part({"type": "input_image", "detail": "auto", "image_url": "https://e.org/a"}), "input[0].content[0]"),
        ("chat", chat_part({"type": "image_url", "image_url": {"url": "https://e.org/a"}}), "messages[0].content[0]"),
                      ("messages", messages_block({"type": "image", "source": {"type": "url", "url": "https://e.org/a"}}), "messages[1].content[0]")],
    "`detail` of an image": [
        ("responses", responses_part({"type": "input_image", "detail": "low", "image_url": "data:image/png;base64,AAAA"}), "input[0].content[0].detail"),
        ("chat", chat_part({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}),
                              "messages[0].content[0].image_url.detail")],
    "PDF documents as data": [
        ("responses", responses_part({"type": "input_file", "filename": "f", "file_data": "data:application/pdf;base64,AAAA"}), "input[0].content[0]"),
        
        ("converse", converse_block({"document": {"format": "pdf", "name": "n", "source": {"bytes": "AAAA"}}}), "messages[1].content[0]"),
        ("messages", messages_block({"type": "document", "source": PDF}), "messages[1].content[0]")],
    "documents of plain text": [
        ("converse", converse_block({"document": {"format": "txt", "name": "n", "source": {"text": "x"}}}), "messages[1].content[0]"),
        ("messages", messages_block({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}),
                                 "messages[1].content[0]")],
    "files of other types as data": [
        ("responses", responses_part({"type": "input_file", "filename": "a.pptx", "file_data": "data:application/vnd.ms-powerpoint;base64,AAAA"}), "input[0].content[0]"),
        ("chat", chat_part({"type": "file", "file": {"filename": "a.json", "file_data": "data:application/json;base64,AAAA"}}), "messages[0].content[0]")],
    "text, CSV, HTML, Markdown, Word and Excel files as data": [
        ("converse", converse_block({"document": {"format": "csv", "name": "n", "source": {"bytes": "AAAA"}}}), "messages[1].content[0]"),
        ("responses", responses_part({"type": "input_file", "filename": "a.md", "file_data": "data:text/markdown;base64,AAAA"}), "input[0].content[0]"),
        ("chat", chat_part({"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,AAAA"}}), "messages[0].content[0]")],
    "documents by URL": [
        ("responses", responses_part({"type": "input_file", "file_url": "https://e.org/a.pdf"}), "input[0].content[0]"),
        ("messages", messages_block({"type": "document", "source": {"type": "url", "url": "https://e.org/a.pdf"}}),
                          "messages[1].content[0]")],
    "documents made of blocks": [
        ("converse", converse_block({"document": {"name": "n", "source": {"content": [{"text": "x"}]}}}), "messages[1].content[0]"),
        ("messages", messages_block({"type": "document", "source": {"type": "content", "content": "x"}}), "messages[1].content[0]")],
    "`context` of a document": [("messages", messages_block({"type": "document", "source": PDF, "context": "c"}), "messages[1].content[0]")],
    "images in documents made of blocks": [
        ("messages", messages_block({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": PNG}]}}), "messages[1].content[0]")],
    "citations of documents and search results": [
        ("converse", converse_block({"document": {"format": "pdf", "name": "n", "source": {"bytes": "AAAA"}, "citations": {"enabled": True}}}),
         "messages[1].content[0].document.citations.enabled"),
        ("messages", messages_block({"type": "document", "source": PDF, "citations": {"enabled": True}}), "messages[1].content[0].citations.enabled")],
    "search results": [
        ("converse", converse_block({"searchResult": {"source": "s", "title": "t", "content": [{"text": "x"}]}}), "messages[1].content[0]"),
        ("messages", messages_block({"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "x"}]}), "messages[1].content[0]"),
        ("messages", messages_block({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "search_result", "source": "s", "title": "t", "content": "x"}]}),
         "messages[1].content[0].content[0]")],
    "documents and search results cited in an earlier answer": [
        ("converse", converse_block({"citationsContent": {"content": [{"text": "t"}], "citations": [
            {"title": "x", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}]}}, "assistant"), "messages[1].content[0].citationsContent.citations"),
        ("messages", messages_block({"type": "text", "text": "t", "citations": [{"type": "char_location", "cited_text": "c", "document_index": 0, "document_title": None,
                                                                                 "start_char_index": 0, "end_char_index": 3}]}, "assistant"), "messages[1].content[0].citations")],
    "web pages and all else cited in an earlier answer": [
        ("responses", {"input": [{"type": "message", "id": "m", "status": "completed", "role": "assistant",
                                   "content": [{"type": "output_text", "text": "t", "annotations": [{"type": "url_citation"}]}]}]},
         "input[0].content[0].annotations"),
        
        ("converse", converse_block({"citationsContent": {"content": [{"text": "t"}], "citations": [{"title": "x"}]}}, "assistant"),
         "messages[1].content[0].citationsContent.citations"),
        ("messages", messages_block({"type": "text", "text": "t", "citations": [{"type": "web_search_result_location", "cited_text": "c", "url": "https://e.org/", "title": None,
                                                                                 "encrypted_index": "e"}]}, "assistant"), "messages[1].content[0].citations"),
        ("chat", {"messages": [{"role": "assistant", "content": "a", "annotations": [{"type": "url_citation"}]}]}, "messages[0].annotations")],
    "audio as data": [
        ("converse", converse_block({"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}), "messages[1].content[0]"),
        ("chat", chat_part({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}), "messages[0].content[0]")],
    "files, images and documents kept by the provider (`file_id`, S3)": [
        ("responses", responses_part({"type": "input_image", "file_id": "f"}), "input[0].content[0].file_id"),
        
        ("converse", converse_block({"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/k"}}}}),
         "messages[1].content[0].image.source.s3Location"),
        
        ("chat", chat_part({"type": "file", "file": {"file_id": "f"}}), "messages[0].content[0].file.file_id"),
        ("messages", messages_block({"type": "image", "source": {"type": "file", "file_id": "f"}}), "messages[1].content[0].source.file_id")],
    "images and documents in a tool's result": [
        ("responses", {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}]},
         "input[0]"),
        
        ("messages", messages_block({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": PNG}]}), "messages[1].content[0]")],
    "`is_error` of a tool's result": [
        ("converse", converse_block({"toolResult": {"toolUseId": "t", "content": [{"json": {"a": 1}}], "status": "error"}}), "messages[1].content[0]"),
        
        ("messages", messages_block({"type": "tool_result", "tool_use_id": "t", "content": "x", "is_error": True}), "messages[1].content[0]")],
    "earlier reasoning with a signature": [
        ("converse", converse_block({"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}, "assistant"), "messages[1].content[0]"),
        
        ("messages", messages_block({"type": "thinking", "thinking": "t", "signature": "s"}, "assistant"), "messages[1].content[0]")],
    "earlier reasoning without a signature": [
        ("chat", {"messages": [{"role": "assistant", "content": "a", "reasoning_content": "r"}]}, "messages[0]")],
    "earlier reasoning that only its provider reads": [
        ("converse", converse_block({"reasoningContent": {"redactedContent": "ZGF0YQ=="}}, "assistant"), "messages[1].content[0]"),
        
        ("messages", messages_block({"type": "redacted_thinking", "data": "d"}, "assistant"), "messages[1].content[0]")],
    "cache points": [
        ("converse", {"messages": [{"role": "user", "content": [{"text": "x"}, {"cachePoint": {"type": "default"}}]}]}, "messages[0].content[1].cachePoint"),
        ("messages", messages_block({"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}),
                      "messages[1].content[0].cache_control")],
    "`prompt_cache_key`": [("chat", {"prompt_cache_key": "k"}, "prompt_cache_key")],
    "`prompt_cache_retention`, `prompt_cache_options`, `cache_control` of the request": [
        ("chat", {"prompt_cache_retention": "24h"}, "prompt_cache_retention"), ("messages", {"cache_control": {"type": "ephemeral"}}, "cache_control")],
    "tools with a JSON schema": [
        ("responses", {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": False}]}, "tools[0]"),
        
        ("converse", {"toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}]}}, "toolConfig.tools[0]"),
        ("chat", FUNCTION, "tools[0]"), ("messages", tool(), "tools[0]")],
    "`strict` of a tool": [
        ("responses", {"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": True}]}, "tools[0].strict"),
        ("messages", tool(strict=True), "tools[0].strict")],
    "`input_examples`, `eager_input_streaming` of a tool": [("messages", tool(input_examples=[{}]), "tools[0].input_examples")],
    "`defer_loading`, `allowed_callers` of a tool": [("messages", tool(defer_loading=True), "tools[0].defer_loading")],
    "tools of other types, their calls and results": [
        ("responses", {"tools": [{"type": "web_search"}]}, "tools[0].type"),
        
        ("converse", {"toolConfig": {"tools": [{"systemTool": {"name": "f"}}]}}, "toolConfig.tools[0].systemTool"),
        
        ("chat", {"tools": [{"type": "web_search"}]}, "tools[0]"), ("messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ("messages", messages_block({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, "assistant"), "messages[1].content[0]")],
    "tools that take text, and their calls": [
        ("responses", {"tools": [{"type": "custom", "name": "f"}]}, "tools[0].type"),
        ("responses", {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}, {"role": "user", "content": "y"}]}, "input[0]"),
        ("chat", {"messages": [{"role": "assistant", "content": "a", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}]}]},
         "messages[0].tool_calls[0].custom"),
        ("chat", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].custom")],
    "`tool_choice`: auto, any, one tool": [("chat", {**FUNCTION, "tool_choice": "required"}, "tool_choice")],
    "`tool_choice`: none": [("chat", {**FUNCTION, "tool_choice": "none"}, "tool_choice")],
    "`tool_choice`: some of the tools": [
        ("responses", {"tools": [{"type": "function", "name": name, "parameters": {}} for name in "fg"],
                       "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}}, "tool_choice.mode"),
        ("chat", {"tools": [{"type": "function", "function": {"name": name}} for name in "fg"],
                  "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}}},
         "tool_choice.allowed_tools")],
    "no tool calls beside each other": [("chat", {**FUNCTION, "parallel_tool_calls": False}, "parallel_tool_calls"),
                                        ("messages", {**tool(), "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "tool_choice")],
    "`functions`, `function_call`, their role": [("chat", {"functions": [{"name": "f"}]}, "functions"),
                                                 ("chat", {"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0]")],
    "an earlier tool call whose arguments are no JSON object": [
        ("responses", {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "[]"}]}, "input[0].arguments"),
        
        ("chat", {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{a"}}]}]},
         "messages[0].tool_calls[0].function.arguments")],
    "an answer in JSON without a schema": [
        ("responses", {"text": {"format": {"type": "json_object"}}}, "text.format.type"),
        ("chat", {"response_format": {"type": "json_object"}}, "response_format.type")],
    "an answer by a JSON schema": [
        ("responses", {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}}}}, "text.format.type"),
        
        ("converse", {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\": \"object\"}"}}}}},
         "outputConfig.textFormat.structure.jsonSchema.schema"),
        
        ("chat", {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}}, "response_format.type"),
        ("messages", {"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_config.format.schema")],
    "`temperature`": [("chat", {"temperature": 1.0}, "temperature"), ("messages", {"temperature": 0}, "temperature")],
    "`temperature` above 1": [("chat", {"temperature": 1.01}, "temperature")],
    "`top_p`": [("chat", {"top_p": 0.5}, "top_p")],
    "`top_k`": [
        model_fields("top_k", 5), model_fields("inferenceConfig", {"topK": 5}, ".topK"),
        ("messages", {"top_k": 5}, "top_k")],
    "stop sequences": [("chat", {"stop": "x"}, "stop"), ("messages", {"stop_sequences": ["x"]}, "stop_sequences")],
    "more than 4 stop sequences": [("messages", {"stop_sequences": list("abcde")}, "stop_sequences")],
    "`seed`": [("chat", {"seed": 1}, "seed")],
    "`n` above 1": [("chat", {"n": 2}, "n")],
    "log probabilities": [
        ("responses", {"top_logprobs": 2}, "top_logprobs"), ("responses", {"include": ["message.output_text.logprobs"]}, "include[0]"),
        ("chat", {"logprobs": True}, "logprobs"), ("chat", {"top_logprobs": 3}, "top_logprobs")],
    "`logit_bias`": [("chat", {"logit_bias": {"1": 2}}, "logit_bias")],
    "`frequency_penalty`, `presence_penalty` but 0": [("chat", {"frequency_penalty": 0.1}, "frequency_penalty")],
    "the most tokens of an answer": [("chat", {"max_tokens": None, "max_completion_tokens": 5}, "max_completion_tokens")],
    "`reasoning_effort`, `output_config.effort`: low, medium, high": [
        ("converse", {"outputConfig": {"effort": "low"}}, "outputConfig.effort"), model_fields("reasoning_effort", "medium"),
        model_fields("output_config", {"effort": "low"}, ".effort"), model_fields("reasoningConfig", {"type": "enabled", "maxReasoningEffort": "medium"}),
        ("chat", {"reasoning_effort": "medium"}, "reasoning_effort"), ("messages", {"output_config": {"effort": "low"}}, "output_config.effort")],
    "the same: xhigh, max": [
        ("converse", {"outputConfig": {"effort": "max"}}, "outputConfig.effort"),
        ("chat", {"reasoning_effort": "xhigh"}, "reasoning_effort"), ("messages", {"output_config": {"effort": "max"}}, "output_config.effort")],
    "an effort of `high` beside a maximum, `temperature` or `top_p`": [
        ("chat", {"reasoning_effort": "high"}, "reasoning_effort"), ("chat", {"reasoning_effort": "high", "top_p": 0.5}, "reasoning_effort"),
        ("chat", {"reasoning_effort": "high", "temperature": 0.5}, "reasoning_effort"),
        ("responses", {"reasoning": {"effort": "high"}, "max_output_tokens": 9}, "reasoning.effort"),
        ("messages", {"output_config": {"effort": "high"}}, "output_config.effort")],
    "`reasoning_effort`: none": [
        model_fields("reasoningConfig", {"type": "disabled"}),
        ("responses", {"reasoning": {"effort": "none"}}, "reasoning.effort"),
        ("chat", {"reasoning_effort": "none"}, "reasoning_effort")],
    "`reasoning_effort`: minimal": [("chat", {"reasoning_effort": "minimal"}, "reasoning_effort")],
    "`thinking`": [
        model_fields("thinking", {"type": "adaptive"}), model_fields("reasoning_config", {"type": "enabled", "budget_tokens": 1024}),
        ("messages", {"thinking": {"type": "adaptive"}}, "thinking")],
    "`verbosity`": [
        ("responses", {"text": {"verbosity": "high"}}, "text.verbosity"),
        ("chat", {"verbosity": "low"}, "verbosity")],
    "`user`, `safety_identifier`, `metadata.user_id`": [("chat", {"user": "u"}, "user"), ("messages", {"metadata": {"user_id": "u"}}, "metadata.user_id")],
    "the same above 64 bytes": [("messages", {"metadata": {"user_id": "u" * 65}}, "metadata.user_id")],
    "`metadata` of OpenAI": [
        ("responses", {"metadata": {"a": "b"}}, "metadata"),
        ("chat", {"metadata": {"a": "b"}}, "metadata")],
    "service tier: default, standard_only": [("chat", {"service_tier": "default"}, "service_tier"),
                                             ("messages", {"service_tier": "standard_only"}, "service_tier")],
    "service tier: flex": [
        ("converse", {"serviceTier": {"type": "flex"}}, "serviceTier.type"),
        ("chat", {"service_tier": "flex"}, "service_tier")],
    "service tier: priority": [("chat", {"service_tier": "priority"}, "service_tier")],
    "service tier: scale, fast": [
        ("responses", {"service_tier": "fast"}, "service_tier"),
        ("chat", {"service_tier": "scale"}, "service_tier")],
    "`store: true`": [("chat", {"store": True}, "store")],
    "`previous_response_id`, `conversation`, `background`, stored prompts and items": [
        ("responses", {"previous_response_id": "r"}, "previous_response_id"), ("responses", {"store": True}, "store"),
        ("responses", {"input": [{"type": "item_reference", "id": "x"}, {"role": "user", "content": "y"}]}, "input[0]"),
        ("messages", {"container": "c"}, "container")],
    "audio answers": [("chat", {"modalities": ["text", "audio"]}, "modalities[1]")],
    "`prediction`": [("chat", {"prediction": {"type": "content", "content": "x"}}, "prediction")],
    "`stream_options.include_obfuscation`": [("chat", {"stream": True, "stream_options": {"include_obfuscation": True}},
                                              "stream_options.include_obfuscation")],
    "`guardrailConfig`": [("converse", {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"}}, "guardrailConfig")],
    "`guardContent`, `streamProcessingMode` of a guardrail: async": [
        ("converse", {"system": [{"guardContent": {"text": {"text": "x"}}}]}, "system[0].guardContent"),
        ("converse", {"guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1", "streamProcessingMode": "async"}}, "guardrailConfig")],
    "`additionalModelRequestFields` but those named below, `promptVariables`": [
        model_fields("reasoning", 1), model_fields("reasoningConfig", {"type": "enabled"})],
    "`additionalModelRequestFields.tools`: Anthropic's bash, text editor, computer, memory": [
        ("converse", {"additionalModelRequestFields": {"tools": [tool]}}, "additionalModelRequestFields.tools[0]")
        for tool in ({"type": "bash_20250124", "name": "bash"}, {"name": "computer", "display_width_px": 1, "display_height_px": 2, "type": "computer_20251124", "enable_zoom": True},
                     {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 9}, {"type": "memory_20250818", "name": "memory"})],
    "`additionalModelResponseFieldPaths`": [("converse", {"additionalModelResponseFieldPaths": ["/a"]}, "additionalModelResponseFieldPaths")],
    "`requestMetadata`": [("converse", {"requestMetadata": {"a": "b"}}, "requestMetadata")],
    "`requestMetadata` that is not up to 16 strings as Bedrock takes them": [
        ("converse", {"requestMetadata": labels}, "requestMetadata")
        for labels in ({"a": "(b)"}, {"": "b"}, {"a": 1}, {"a": "b\r\nx: y"}, {"a": "b" * 257}, {str(one): "b" for one in range(17)})],
    "`performanceConfig`": [("converse", {"performanceConfig": {"latency": "optimized"}}, "performanceConfig")],
    "service tier: reserved": [("converse", {"serviceTier": {"type": "reserved"}}, "serviceTier.type")],
    "reasoning items of Responses": [
        ("responses", {"input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}, {"role": "user", "content": "y"}]}, "input[0]")],
    "`include`, `truncation`, `max_tool_calls`, `client_metadata`, `reasoning.summary` and `generate_summary` of Responses": [
        ("responses", {"include": ["reasoning.encrypted_content"]}, "include"), ("responses", {"truncation": "auto"}, "truncation"),
        ("responses", {"max_tool_calls": 3}, "max_tool_calls"), ("responses", {"client_metadata": {"x-codex-installation-id": "u"}}, "client_metadata"),
        ("responses", {"reasoning": {"summary": "auto"}}, "reasoning.summary"), ("responses", {"reasoning": {"generate_summary": "auto"}}, "reasoning.generate_summary")],
    "`inference_geo`": [("messages", {"inference_geo": "us"}, "inference_geo")],
    "anything else": [
        ("chat", chat_part({"type": "file", "file": {"filename": "a.csv", "file_data": "AAAA"}}), "messages[0].content[0]"),
        ("responses", responses_part({"type": "input_file", "filename": "a.csv", "file_data": "AAAA"}), "input[0].content[0]"),
        ("responses", {"context_management": []}, "context_management"),
        
        ("converse", {"what": 1}, "what"),
        ("chat", {"min_p": 0.1}, "min_p"), ("messages", {"mcp_servers": []}, "mcp_servers"),
                      ("chat", chat_part({"type": "text", "text": "x", "what": {}}), "messages[0].content[0].what"),
                      ("chat", {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": [{"type": "video_url"}]}]},
                       "messages[1].content[0]")],
}

SAMPLES["`context_management`: tool uses or thinking are cleared"] = [
    ("messages", {"context_management": {"edits": [{"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens", "value": 9}}]}}, "context_management.edits[0]"),
    ("messages", {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}, "context_management.edits[0]"),
    ("messages", {"context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "thinking_turns", "value": 1}}]}}, "context_management.edits[0]")]
SAMPLES["`context_management` that clears nothing"] = [
    ("messages", {"context_management": management}, "context_management")
    for management in ({}, {"edits": []}, {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
                       {"edits": [{"type": "clear_thinking_20251015", "keep": {"type": "all"}}]})]
SAMPLES["anything else"] += [
    ("messages", {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management.edits[0]"),
    ("messages", {"context_management": {"edits": [], "what": 1}}, "context_management.what")]
SAMPLES["`anthropic_beta`, `anthropic-beta`"] = [
    ("invoke", {"anthropic_beta": ["context-1m-2025-08-07"]}, "anthropic_beta[0]"),
    ("converse", {"additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]}}, "additionalModelRequestFields.anthropic_beta[0]")]

# A body of Messages is one of InvokeModel, but for what stands in its path or a header.
for samples in SAMPLES.values():
    samples += [("invoke", put, path) for source, put, path in samples if source == "messages" and "service_tier" not in put]
