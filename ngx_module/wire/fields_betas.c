/*
 * Flags of Anthropic's `anthropic-beta`, header or field. Most let a body use fields, tools or blocks that have rows of their own: what they do is judged
 * there, and the flag itself is inert. Not in it, and so unknown: flags of other APIs (agents, batches, administration), what answers with another
 * model than was asked (server-side-fallback), and what no source says the meaning of (afk-mode). Sources: anthropic-sdk-python's AnthropicBetaParam,
 * Anthropic's documentation of beta headers, what Claude Code sends.
 */
#include "ngx_module/wire/fields_rows.h"

#define B (GH_AT_MESSAGES | GH_AT_COUNT_TOKENS | GH_AT_INVOKE | GH_AT_CONVERSE)

static const gh_field_t beta_rows[] = {

    /* how much, how it is written, how it is streamed */
    INERT(B, "output-128k-2025-02-19"),
    INERT(B, "output-300k-2026-03-24"),
    INERT(B, "context-1m-2025-08-07"),
    INERT(B, "max-tokens-3-5-sonnet-2024-07-15"),
    INERT(B, "interleaved-thinking-2025-05-14"),
    INERT(B, "dev-full-thinking-2025-05-14"),
    INERT(B, "adaptive-thinking-2026-01-28"),
    INERT(B, "redact-thinking-2026-02-12"),            /* the answer's reasoning comes without its text */
    INERT(B, "thinking-token-count-2026-05-13"),
    INERT(B, "thinking-display-updates-2026-08-18"),
    INERT(B, "thinking-binding-controls-2026-08-01"),
    INERT(B, "model-context-window-exceeded-2025-08-26"),
    INERT(B, "fine-grained-tool-streaming-2025-05-14"),
    INERT(B, "token-efficient-tools-2025-02-19"),
    INERT(B, "token-efficient-tools-2026-03-28"),
    INERT(B, "token-counting-2024-11-01"),
    INERT(B, "effort-2025-11-24"),
    INERT(B, "claude-code-20250219"),

    /* fields with rows of their own */
    INERT(B, "structured-outputs-2025-11-13"),
    INERT(B, "structured-outputs-2025-12-15"),
    INERT(B, "task-budgets-2026-03-13"),
    INERT(B, "fast-mode-2026-02-01"),
    INERT(B, "context-management-2025-06-27"),
    INERT(B, "compact-2026-01-12"),
    INERT(B, "compact-2026-09-04"),
    INERT(B, "mid-conversation-system-2026-04-07"),    /* messages of the role system */
    INERT(B, "mid-conversation-tool-changes-2026-07-01"),
    INERT(B, "mid-conversation-output-config-2026-07-01"),
    INERT(B, "mid-conversation-system-clear-at-2026-08-21"),
    INERT(B, "inline-tools-2026-09-15"),
    INERT(B, "message-threads-2026-08-12"),
    INERT(B, "cache-diagnosis-2026-04-07"),
    INERT(B, "fallback-credit-2026-06-01"),
    INERT(B, "fallback-credit-2026-07-01"),
    INERT(B, "prompt-caching-2024-07-31"),
    INERT(B, "prompt-caching-scope-2026-01-05"),       /* `scope` of cache_control */
    INERT(B, "extended-cache-ttl-2025-04-11"),
    INERT(B, "pdfs-2024-09-25"),
    INERT(B, "files-api-2025-04-14"),
    INERT(B, "search-results-2025-06-09"),

    /* tools and their blocks, likewise */
    INERT(B, "computer-use-2024-10-22"),
    INERT(B, "computer-use-2025-01-24"),
    INERT(B, "computer-use-2025-11-24"),
    INERT(B, "advanced-tool-use-2025-11-20"),
    INERT(B, "tool-examples-2025-10-29"),
    INERT(B, "tool-search-tool-2025-10-19"),
    INERT(B, "advisor-tool-2026-03-01"),
    INERT(B, "code-execution-2025-05-22"),
    INERT(B, "code-execution-2025-08-25"),
    INERT(B, "skills-2025-10-02"),
    INERT(B, "web-search-2025-03-05"),
    INERT(B, "web-fetch-2025-09-10"),
    INERT(B, "mcp-client-2025-04-04"),
    INERT(B, "mcp-client-2025-11-20"),
    INERT(B, "mcp-client-2026-09-15"),
};

TABLE(gh_beta_flags, beta_rows);
