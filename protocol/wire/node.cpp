#include "protocol/wire/node.h"

namespace genai {

GENAI_ONE_OF_COMPILED(FromNode)
GENAI_ONE_OF_COMPILED(NodeToBroker)
GENAI_ONE_OF_COMPILED(NodeToDispatcher)
GENAI_ONE_OF_COMPILED(ToNode)

}  // namespace genai
