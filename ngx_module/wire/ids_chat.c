/*
 * Where ids of what is kept stand in what chat completions answer, plain and in events: an answer that is kept as audio, and files.
 *
 * Sources: openai-python's openai/types/chat (chat_completion.py, chat_completion_chunk.py, chat_completion_audio.py); Azure's and vLLM's have no more.
 */
#include "ngx_module/wire/ids_walk.h"

static const gh_ids_member_t file_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
};
SHAPE(file);

static const gh_ids_member_t annotation_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
    MEMBER("file_citation", INTO, 0, &file),
};
SHAPE(annotation);

static const gh_ids_member_t audio_members[] = {
    MEMBER("id", ID, GH_HANDLE_AUDIO, NULL),
};
SHAPE(audio);

static const gh_ids_member_t part_members[] = {
    MEMBER("file_id", ID, GH_HANDLE_FILE, NULL),
    MEMBER("file", INTO, 0, &file),
    MEMBER("image_url", INTO, 0, &file),
    MEMBER("annotations", INTO, 0, &annotation),
};
SHAPE(part);

static const gh_ids_member_t message_members[] = {
    MEMBER("audio", INTO, 0, &audio),
    MEMBER("annotations", INTO, 0, &annotation),
    MEMBER("content", INTO, 0, &part),
};
SHAPE(message);

static const gh_ids_member_t choice_members[] = {
    MEMBER("message", INTO, 0, &message),
    MEMBER("delta", INTO, 0, &message),
};
SHAPE(choice);

static const gh_ids_member_t completion_members[] = {
    MEMBER("choices", INTO, 0, &choice),
};
const gh_ids_shape_t gh_ids_completion = MEMBERS(completion);
