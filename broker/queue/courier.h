// Courier: carries the mail of one shard's sessions to queues that may be anywhere, so that each command is carried out
// exactly once and in order, whoever leads the queue and whatever is lost on the way (raft.md §2.13, §2.14).
//
// A queue that lives on this node alone is simply handed its mail. For any other there is a link per session: commands
// are numbered and kept until the queue says that they are carried out (Through); when another leader is announced, or
// a stream broke, everything still kept is sent again, and what had been done already is recognized there by its
// number. Deliveries are numbered per consumer by the queue: one that comes twice is dropped, and after a gap the queue
// is asked for the rest (Resume). A parcel names the term of the leader it is meant for, so one that was held up
// somewhere cannot do anything later.
//
// What a client need not acknowledge is settled here, when the session has it: a leader that let go of it by handing it
// out would take it along when it dies with the message unsent.
//
// A request that cannot be answered is given up: at once if the queue's only node is down, after kRequestPatience if
// nobody leads it. It is not carried out later, unless it has been already. Publications wait as long as it takes, but
// for those to a queue whose only node is down: what has not left yet is refused at once, the rest after the same time.
// Then its consumers, too, are told that it has gone, so that a node which restarts meanwhile costs nobody a consumer.
//
// Concurrency: the shard's thread.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "broker/queue/mail.h"
#include "broker/queue/switchboard.h"
#include "cluster/metadata/topology.h"
#include "cluster/shard.h"

namespace quorate::queue {

class Courier final : public cluster::TurnHook {
 public:
  struct Surroundings {
    Switchboard& switchboard;
    /// The newest topology this shard has seen.
    std::function<const cluster::TopologyPtr&()> topology;
    /// Asks the replica on this node who leads; the answer is on_leadership().
    std::function<void(GroupId)> ask_here;
    /// The node answers, as far as this one knows.
    std::function<bool(NodeId)> is_live;
    /// The session lives on this shard.
    std::function<bool(const SessionId&)> is_alive;
    /// To the session itself.
    std::function<void(SessionMail)> deliver;
  };
  Courier(cluster::Shard& shard, Surroundings surroundings);

  static constexpr Duration kRequestPatience = std::chrono::seconds(30);

  // From the sessions of this shard:
  /// Of a publication, gives the bytes that are in flight until a Taken brings as many back.
  std::size_t send(QueueMail mail);
  /// The session sends no more. What it has sent is still carried out, and the queues are told that it has ended.
  void end(const SessionId& session);

  /// From a queue, if it is `tracked`.
  void on_mail(SessionMail mail);
  void on_leadership(const Leadership& news);
  /// What was sent to that node lately may be lost.
  void on_node_unreachable(NodeId node);
  void on_topology(const cluster::QueueChanges& changes);
  /// Consumers of this shard that are numbered from now on, with what they have had.
  void adopt(GroupId queue, const std::vector<Adopted>& consumers);

  bool on_turn_end() override;
  /// For status and tests.
  std::size_t link_count() const { return links_.size(); }

 private:
  /// A link that hears nothing for so long asks who leads, and sends everything again; what is large a little later.
  static constexpr Duration kPatience = std::chrono::seconds(1);

  /// A command under way.
  struct Sent {
    std::uint64_t number = 0;
    QueueMailBody what;
    Instant since{};
    bool answered = false;  // of a request: the session has its answer. Of a publication: it has been told
    bool refused = false;
    bool repeated = false;
  };
  struct Asked {
    Question question;
    Instant since{};
    bool sent = false;
  };
  struct Received {
    std::uint64_t last = 0;  // delivery
    bool is_known = false;   // `last` counts
    bool cancelled = false;
    bool settles_itself = false;  // its client acknowledges nothing
    std::optional<Instant> resumed_at;
  };
  struct Link {
    SessionId session;
    GroupId queue;
    std::uint64_t next = 1;     // number
    std::uint64_t through = 0;  // carried out up to here
    std::deque<Sent> kept;      // Invariant: consecutive numbers, the last one next - 1.
    std::size_t unsent = 0;     // how many of `kept`, at its end
    std::deque<Asked> questions;
    std::uint64_t next_question = 1;
    std::map<std::uint32_t, Received> consumers;  // by link
    std::vector<std::uint32_t> to_resume;
    std::optional<SessionMail> deleted;  // the answer to DeleteIf, until this shard knows of the deletion
    bool ended = false;                  // Down has been sent
    bool dirty = false;
    Instant progress_at{};  // of the last sign that something arrives
  };
  using LinkKey = std::pair<std::uint64_t, GroupId>;  // session's serial
  /// What this shard knows of a queue that it sends mail to.
  struct Route {
    bool tracked = false;
    bool gone = false;                  // deleted, and links are left that wait to hear how many messages went with it
    std::optional<NodeId> only_home;    // of a queue that has one replica
    std::optional<Instant> down_since;  // that home, as far as is known here
    std::optional<NodeId> leader;
    Term term;  // of the last leader
    std::optional<Instant> asked_at;
    std::vector<LinkKey> links;
  };

  void track(QueueMail mail);
  void greet(Link& link, const ConsumerKey& consumer);
  void tell_gone(GroupId queue, const std::vector<Adopted>& consumers);
  Route* route_to(GroupId queue);
  bool is_tracked(GroupId queue);
  Link& link_of(const SessionId& session, GroupId queue);
  Link* find(const SessionId& session, GroupId queue);
  void remove(const LinkKey& key);
  void mark_dirty(Link& link);
  /// To be sent under the next number.
  void keep(Link& link, QueueMailBody what);
  void settle(Link& link, std::uint32_t consumer, std::uint64_t id);
  /// Has an answer besides Through.
  static bool is_request(const QueueMailBody& what);
  static Duration patience_with(const Link& link);
  void mark_for_repeat(Link& link);
  void repeat_all(Route& route);
  void resume_all(Route& route);
  void ship(Link& link, const Route& route);
  void ask_who_leads(GroupId queue, Route& route);
  bool is_down(const Route& route) const;
  void give_up_requests(Link& link, Instant asked_before);
  void refuse_publications(Link& link, Instant sent_before);
  void give_up_consumers(Link& link);
  static void withdraw(const Link& link, Sent& sent);
  static SessionMail taken(const Link& link, const Publish& publish, bool refused);
  void look_after(Instant now);
  void give_up_gone(Instant now);
  bool look_after(GroupId queue, Route& route, Instant now);
  static bool is_refresh_due(Link& link, Instant now);

  void on(Link& link, SessionMail& mail, Delivery& delivery);
  void on(Link& link, SessionMail& mail, Through& through);
  void on(Link& link, SessionMail& mail, Refused& refused);
  void on(Link& link, SessionMail& mail, Forgotten& forgotten);
  void on(Link& link, SessionMail& mail, Gone& gone);
  void on(Link& link, SessionMail& mail, Counted& counted);
  void on(Link& link, SessionMail& mail, Deleted& deleted);
  template <class Answer>
  void on(Link& link, SessionMail& mail, Answer& answer);
  static Sent* find_sent(Link& link, std::uint64_t number);
  static void forget_done(Link& link);
  bool close_question(Link& link, std::uint64_t number);
  void tell_taken(Link& link, Sent& sent);
  void drop_queue(GroupId queue);
  void close(Link& link);
  void tell_askers_gone(const Link& link);

  cluster::Shard& shard_;
  Surroundings surroundings_;
  std::unordered_map<GroupId, Route> routes_;
  std::map<LinkKey, Link> links_;
  std::vector<GroupId> gone_;          // the routes that are
  std::vector<SessionMail> given_up_;  // to be told at the end of look_after()
  std::vector<LinkKey> dirty_;
  std::optional<Instant> look_at_;  // when to look after what is stuck
};

}  // namespace quorate::queue
