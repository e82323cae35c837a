// A list of objects that live elsewhere (in coroutine frames) and leave it by themselves.
#ifndef IMAGE_LIBRARY_REGISTRY_INTRUSIVE_LIST_H_
#define IMAGE_LIBRARY_REGISTRY_INTRUSIVE_LIST_H_

namespace image_library::registry {

/// Base of what an IntrusiveList holds: in one list at most, and out of it when destroyed.
class ListNode {
 public:
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
  ~ListNode() { Unlink(); }

  bool Linked() const noexcept { return next_ != this; }

  void Unlink() noexcept {
    previous_->next_ = next_;
    next_->previous_ = previous_;
    previous_ = next_ = this;
  }

 private:
  template <typename T>
  friend class IntrusiveList;

  ListNode* previous_ = this;
  ListNode* next_ = this;
};

/// First in, first out; owns nothing. T derives from ListNode.
template <typename T>
class IntrusiveList {
 public:
  bool Empty() const noexcept { return !head_.Linked(); }

  void PushBack(T& item) noexcept {
    ListNode& node = item;
    node.Unlink();
    node.previous_ = head_.previous_;
    node.next_ = &head_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
  }

  /// Puts the item before the first one that it comes before.
  template <typename Before>
  void Insert(T& item, Before before) noexcept {
    ListNode& node = item;
    node.Unlink();
    ListNode* next = head_.next_;
    while (next != &head_ && !before(item, static_cast<T&>(*next))) next = next->next_;
    node.previous_ = next->previous_;
    node.next_ = next;
    next->previous_->next_ = &node;
    next->previous_ = &node;
  }

  /// Takes the first item out. Precondition: not Empty().
  T& PopFront() noexcept {
    ListNode& node = *head_.next_;
    node.Unlink();
    return static_cast<T&>(node);
  }

  /// The last item. Precondition: not Empty().
  T& Back() noexcept { return static_cast<T&>(*head_.previous_); }

  /// Takes the last item out. Precondition: not Empty().
  T& PopBack() noexcept {
    T& item = Back();
    item.Unlink();
    return item;
  }

  /// Whether the predicate holds for one of them at least.
  template <typename Predicate>
  bool AnyOf(Predicate predicate) const noexcept {
    for (const ListNode* node = head_.next_; node != &head_; node = node->next_)
      if (predicate(static_cast<const T&>(*node))) return true;
    return false;
  }

  /// Takes every item of another list, in order.
  void TakeAll(IntrusiveList& other) noexcept {
    while (!other.Empty()) PushBack(other.PopFront());
  }

 private:
  ListNode head_;
};

}  // namespace image_library::registry

#endif
