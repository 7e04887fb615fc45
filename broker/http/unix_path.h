// A path as the address of a unix socket, which holds about a hundred octets: of a longer one the folder is opened and
// the socket named through it.
#pragma once
#include <fcntl.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace quorate::http {

class UnixPath {
 public:
  explicit UnixPath(const std::string& path) : name_(path) {
    if (fits()) return;
    const std::filesystem::path whole = path;
    folder_ = ::open(whole.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_ >= 0) name_ = "/proc/self/fd/" + std::to_string(folder_) + "/" + whole.filename().string();
  }
  ~UnixPath() {
    if (folder_ >= 0) ::close(folder_);
  }
  UnixPath(const UnixPath&) = delete;
  UnixPath& operator=(const UnixPath&) = delete;

  /// Valid as long as this.
  const std::string& name() const { return name_; }
  bool fits() const { return name_.size() < sizeof(sockaddr_un::sun_path); }

 private:
  std::string name_;
  int folder_ = -1;
};

}  // namespace quorate::http
