#include "genai/client/types.h"
#include "protocol/wire/task_status.h"

namespace genai::client {

const char* name(Status status) {
  return genai::name(static_cast<TaskStatus>(status)).data();  // literals: zero-terminated
}

}  // namespace genai::client
