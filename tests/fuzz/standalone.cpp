// Runs a fuzz target without libFuzzer, where a compiler has none (a cross compiler's):
//   standalone RUNS SEED_FILE...
// Each seed as it is, then RUNS times one of them cut, with bytes changed; the same every time.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  constexpr std::size_t kMost = 20000;
  if (argc < 3) return std::fprintf(stderr, "standalone RUNS SEED_FILE...\n"), 2;
  std::vector<std::vector<std::uint8_t>> seeds;
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    if (seeds.back().size() > kMost) seeds.back().resize(kMost);
    LLVMFuzzerTestOneInput(seeds.back().data(), seeds.back().size());
  }
  std::mt19937 random(1);
  const int runs = std::atoi(argv[1]);
  for (int run = 0; run < runs; ++run) {
    std::vector<std::uint8_t> bytes = seeds[random() % seeds.size()];
    if (random() % 2 != 0) bytes.resize(random() % (bytes.size() + 1));
    for (std::size_t n = bytes.empty() ? 0 : random() % 8; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("%d runs and %zu seeds without a failure\n", runs, seeds.size());
}
