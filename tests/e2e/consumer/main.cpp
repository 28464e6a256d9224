// Node and client in one program, from the installed headers alone: a thread serves, main() asks.
#include <genai/client.h>
#include <genai/node.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <thread>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  genai::node::NodeConfig config;
  config.broker_endpoint = argv[1];
  config.node_id = "consumer";
  genai::node::Node node(
      config, [](const genai::node::Task& task, genai::node::TaskContext& context) {
        context.progress(0.5, "half way");
        std::string text = task.payload.str();
        std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
        return genai::node::TaskResult::ok(text, "text/plain");
      });
  std::thread serving([&] { node.run(); });

  genai::client::Client client({argv[2]});
  genai::client::TaskRequest request;
  request.payload = "a lighthouse at dusk";
  const auto result = client.wait(client.submit(request), std::chrono::seconds(30));
  if (result && std::cout << result->data << " by " << result->node_id << std::endl)
    client.acknowledge();  // printed is as kept as it has to be here
  node.leave();
  serving.join();
  return result ? 0 : 1;
}
