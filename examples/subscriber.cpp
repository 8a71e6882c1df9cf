// Prints a saccade publisher's labels, one line a slice. The fields are those of docs/schema.json.
//   g++ -std=c++17 subscriber.cpp -lzmq -o subscriber && ./subscriber tcp://127.0.0.1:5556
// Where the publisher has keys: subscriber ADDRESS ITS_PUBLIC_KEY OUR_FILE_OF_SACCADE_KEYS_MAKE
#include <zmq.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "msgpack.hpp"

static std::string receive(void* socket) {  // one part
  zmq_msg_t part;
  zmq_msg_init(&part);
  if (zmq_msg_recv(&part, socket, 0) < 0) throw std::runtime_error(zmq_strerror(zmq_errno()));
  std::string data(static_cast<char*>(zmq_msg_data(&part)), zmq_msg_size(&part));
  zmq_msg_close(&part);
  return data;
}

static bool more(void* socket) {  // whether the message has another part
  int yes = 0;
  size_t size = sizeof yes;
  return zmq_getsockopt(socket, ZMQ_RCVMORE, &yes, &size) == 0 && yes;
}

int main(int count, char** words) {
  void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_SUB);
  const int64_t most = 16 << 20;  // bytes that a part may have
  zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
  if (count == 4) {
    std::string ours, secret, word;
    for (std::ifstream file(words[3]); file >> word;)
      if (word == "public" || word == "secret") file >> (word == "public" ? ours : secret);
    if (ours.size() != 40 || secret.size() != 40) return std::puts("no key in that file"), 2;
    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, words[2], 41);
    zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, ours.c_str(), 41);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret.c_str(), 41);
  }
  for (const char* topic : {"label/", "status/"}) zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, 6);
  if (count < 2 || zmq_connect(socket, words[1])) return std::puts("usage: see the file"), 2;
  for (bool ended = false; !ended;) try {
      std::string topic = receive(socket), data = more(socket) ? receive(socket) : "";
      while (more(socket)) receive(socket);
      Value header = read_header(data);
      ended = header["state"].text == "ended";
      if (header["type"].text == "label" && !header["labels"].items.empty())
        std::printf(
            "%s %.0f us: %s %.3f\n", topic.c_str(), header["t_end_us"].number,
            header["n_events"].number ? header["labels"].items[0].text.c_str() : "no events",
            header["n_events"].number ? header["scores"].items.at(0).number : 0.0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "not saccade/1: %s\n", error.what());
    }
  zmq_close(socket);
  zmq_ctx_term(context);
}
