// Submits one task, waits for its result, and keeps that in a file.
//
//   submit_and_wait ENDPOINT PROMPT FILE
#include <genai/client.h>

#include <cstdio>
#include <fstream>

using namespace genai::client;

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    Client client({.endpoint = argv[1]});
    TaskRequest request;
    request.payload = argv[2];
    request.params = {{"steps", std::int64_t{20}}};
    const std::string id = client.submit(request);

    const auto result = client.wait(id, std::chrono::minutes(10));
    if (!result) {
      std::printf("task %s goes on\n", id.c_str());
      return 1;
    }
    if (result->status != Status::kCompleted) {
      std::printf("%s: %s: %s\n", name(result->status), name(result->code), result->error.c_str());
      return 1;
    }
    // The dispatcher keeps the result until it is acknowledged. A program that must not lose it
    // syncs the file before that.
    std::ofstream file(argv[3], std::ios::binary);
    if (!file.write(result->data.data(), static_cast<std::streamsize>(result->data.size())).flush())
      return 1;
    client.acknowledge();
    std::printf("%zu bytes from %s\n", result->data.size(), result->node_id.c_str());
    return 0;
  } catch (const ClientError& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return advice(error.code()) == Advice::kRetryLater ? 75 : 1;  // 75: EX_TEMPFAIL of sysexits.h
  }
}
