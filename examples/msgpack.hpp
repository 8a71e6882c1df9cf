// As much of msgpack as saccade's headers need: maps, lists, texts, numbers. No byte is believed.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

struct Value {  // of msgpack; the items of a map are key, value, key, value ...
  double number = 0;
  std::string text;
  std::vector<Value> items;
  const Value& operator[](const char* key) const {
    for (size_t i = 0; i + 1 < items.size(); i += 2)
      if (items[i].text == key) return items[i + 1];
    static const Value none;
    return none;
  }
};

struct Reader {  // throws std::runtime_error where the bytes are no msgpack of saccade's
  const unsigned char *at, *end;
  int depth = 0;
  const unsigned char* skip(uint64_t n) {
    if (n > uint64_t(end - at)) throw std::runtime_error("a header that ends too early");
    return (at += n) - n;
  }
  uint64_t big(int bytes) {  // big-endian
    uint64_t value = 0;
    for (const unsigned char* p = skip(bytes); bytes--;) value = value << 8 | *p++;
    return value;
  }
  Value text(uint64_t n) { return {0, {reinterpret_cast<const char*>(skip(n)), n}, {}}; }
  Value list(uint64_t n) {
    if (++depth > 8) throw std::runtime_error("a header that is too deep");
    Value value;
    while (n--) value.items.push_back(read());
    return --depth, value;
  }
  template <class Float, class Bits>
  Value real() {
    Bits bits = Bits(big(sizeof(Bits)));
    Float number;
    std::memcpy(&number, &bits, sizeof number);
    return {double(number), {}, {}};
  }
  Value read() {
    unsigned c = unsigned(big(1));
    if (c < 0x80 || c >= 0xe0) return {double(int8_t(c)), {}, {}};
    if (c < 0xa0) return list((c & 15) * (c < 0x90 ? 2 : 1));
    if (c < 0xc0) return text(c & 31);
    if (c <= 0xc3) return {double(c == 0xc3), {}, {}};  // nil, false, true
    if (c == 0xca) return real<float, uint32_t>();
    if (c == 0xcb) return real<double, uint64_t>();
    if (c >= 0xcc && c <= 0xcf) return {double(big(1 << (c - 0xcc))), {}, {}};
    if (c >= 0xd0 && c <= 0xd3) {
      int bytes = 1 << (c - 0xd0), spare = 64 - 8 * bytes;
      return {double(int64_t(big(bytes) << spare) >> spare), {}, {}};
    }
    if (c >= 0xd9 && c <= 0xdb) return text(big(1 << (c - 0xd9)));
    if (c == 0xdc || c == 0xdd) return list(big(c == 0xdc ? 2 : 4));
    if (c == 0xde || c == 0xdf) return list(2 * big(c == 0xde ? 2 : 4));
    throw std::runtime_error("a header of another kind");
  }
};

inline Value read_header(const std::string& data) {
  if (data.size() > 65536) throw std::runtime_error("a header above 64 KiB");
  auto* first = reinterpret_cast<const unsigned char*>(data.data());
  return Reader{first, first + data.size()}.read();
}
