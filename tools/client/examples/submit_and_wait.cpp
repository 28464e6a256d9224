// Submits one task, waits for its result, and keeps that in a file; several files of a bundle in
// FILE.1, FILE.2, ...
//
//   submit_and_wait ENDPOINT PROMPT FILE
#include <genai/client.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

using namespace genai::client;

namespace {

// The dispatcher keeps the result until it is acknowledged. A program that must not lose it syncs
// the files before that.
bool keep(const Data& data, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  file.write(data.data(), static_cast<std::streamsize>(data.size()));
  return static_cast<bool>(file.flush());
}

}  // namespace

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
    const std::vector<ResultFile> files = result->files();
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string number = files.size() == 1 ? "" : "." + std::to_string(i + 1);
      if (!keep(files[i].data, argv[3] + number)) return 1;
      // The name comes from the node: look at it before you make it a path.
      if (!files[i].name.empty())
        std::printf("%s: %zu bytes of %s\n", files[i].name.c_str(), files[i].data.size(),
                    files[i].content_type.c_str());
    }
    client.acknowledge();
    std::printf("%zu bytes from %s\n", result->data.size(), result->node_id.c_str());
    return 0;
  } catch (const ClientError& error) {
    std::fprintf(stderr, "%s: %s\n", name(error.code()), error.what());
    return advice(error.code()) == Advice::kRetryLater ? 75 : 1;  // 75: EX_TEMPFAIL of sysexits.h
  }
}
