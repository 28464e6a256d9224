#include "protocol/wire/client.h"

namespace genai {

GENAI_ONE_OF_COMPILED(ClientRequest)
GENAI_ONE_OF_COMPILED(ClientReply)

}  // namespace genai
