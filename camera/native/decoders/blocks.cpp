#include "blocks.hpp"

#include <mutex>
#include <new>
#include <vector>

namespace saccade {
namespace {

constexpr std::size_t kHeader = 64;      // in front of each block: its size
constexpr std::size_t kUnit = 64 << 10;  // sizes are multiples, so that blocks fit again
constexpr std::size_t kKept = 8u << 20;  // bytes in the pool at most
constexpr std::align_val_t kAlignment{64};

struct Pool {
  std::mutex mutex;
  std::vector<std::uint8_t*> blocks;  // the latest last
  std::size_t size = 0;               // of all together
};

// Never destroyed: columns that Python holds may be given back after static destructors have run.
Pool& pool() {
  static Pool* const only = new Pool;
  return *only;
}

std::size_t& size_of(std::uint8_t* block) {
  return *reinterpret_cast<std::size_t*>(block - kHeader);
}

void release(std::uint8_t* block) { operator delete(block - kHeader, kAlignment); }

std::uint8_t* find(std::size_t n_bytes) {
  Pool& p = pool();
  const std::lock_guard<std::mutex> lock(p.mutex);
  for (std::size_t i = p.blocks.size(); i-- > 0;) {
    std::uint8_t* const block = p.blocks[i];
    // Not one that is much larger: the columns may be held for long.
    if (size_of(block) < n_bytes || size_of(block) > 2 * n_bytes + kUnit) continue;
    p.blocks.erase(p.blocks.begin() + static_cast<std::ptrdiff_t>(i));
    p.size -= size_of(block);
    return block;
  }
  return nullptr;
}

}  // namespace

MemoryBlock take_block(std::size_t n_bytes) {
  if (std::uint8_t* const found = find(n_bytes)) return MemoryBlock(found);
  const std::size_t size = (n_bytes + kUnit - 1) / kUnit * kUnit;
  auto* const start = static_cast<std::uint8_t*>(operator new(kHeader + size, kAlignment));
  size_of(start + kHeader) = size;
  return MemoryBlock(start + kHeader);
}

void ReturnBlock::operator()(std::uint8_t* block) const {
  Pool& p = pool();
  {
    const std::lock_guard<std::mutex> lock(p.mutex);
    if (p.size + size_of(block) <= kKept) {
      p.size += size_of(block);
      p.blocks.push_back(block);
      return;
    }
  }
  release(block);
}

}  // namespace saccade
