internal import KernelABI

/// A process: flat memory, with its links to others. Identity is (pid, start): the pid in the initial namespace, start_boottime of the leader.
struct ProcessEntry {
    typealias Reference = UnsafeMutablePointer<ProcessEntry>

    let start: UInt64
    let pid: UInt32
    let parentPid: UInt32
    let parentStart: UInt64
    /// While it is in the table.
    var parent: Reference?
    /// Its latest child, and of that one's parent's children the next older and the next younger.
    var child: Reference?
    var sibling: Reference?
    var elder: Reference?
    /// Next in its bucket.
    var next: Reference?
    /// Neighbours among the ended.
    var before: Reference?
    var behind: Reference?

    var image: UnsafeMutablePointer<Image>?
    /// When it began to run that, and what it ran before: records of several CPUs come out of order, and events are held back.
    var imageSince: UInt64 = 0
    var previousImage: UnsafeMutablePointer<Image>?
    var previousSince: UInt64 = 0
    /// When it was forked by its parent, whose image it had then; 0: not known, or by another.
    var forkedAt: UInt64 = 0
    /// When it last forked one.
    var lastForkAt: UInt64 = 0

    /// What its exec made of it, or its parent's: retained.
    var tenant: Unmanaged<ProcessTenant>?

    /// Another one whenever anything here changes.
    var version: UInt64
    var cgroup: UInt64
    /// When it ended, CLOCK_BOOTTIME ns; 0: it is there.
    var ended: UInt64 = 0
    /// Of the last sweep that found it to be needed.
    var mark: UInt32 = 0
    var namespaces: Namespaces
    var flags: Flags = []
    var name: (UInt64, UInt64)

    struct Flags: OptionSet {
        let rawValue: UInt32
        /// It was seen to start: its parent and what it ran first are known.
        static let seenToStart = Flags(rawValue: 1)
        /// The chain of its parents was cut here.
        static let chainCut = Flags(rawValue: 2)
        /// In the list of those that ended and have no children, or in that of those that have.
        static let listed = Flags(rawValue: 4)
        static let held = Flags(rawValue: 8)
        /// What is known of it is what /proc had.
        static let fromProc = Flags(rawValue: 16)
    }
}

/// Inode numbers of namespaces; 0: not known.
package struct Namespaces: Equatable, Sendable {
    package var mount: UInt32
    package var pid: UInt32
    package var user: UInt32

    package init(mount: UInt32 = 0, pid: UInt32 = 0, user: UInt32 = 0) {
        self.mount = mount
        self.pid = pid
        self.user = user
    }
}

/// Ended processes, the longest ended first.
struct ProcessList {
    private(set) var first: ProcessEntry.Reference?
    private var last: ProcessEntry.Reference?
    private(set) var count = 0

    mutating func append(_ entry: ProcessEntry.Reference) {
        entry.pointee.before = last
        entry.pointee.behind = nil
        if let last { last.pointee.behind = entry } else { first = entry }
        last = entry
        count += 1
    }

    mutating func remove(_ entry: ProcessEntry.Reference) {
        if let before = entry.pointee.before { before.pointee.behind = entry.pointee.behind } else { first = entry.pointee.behind }
        if let behind = entry.pointee.behind { behind.pointee.before = entry.pointee.before } else { last = entry.pointee.before }
        entry.pointee.before = nil
        entry.pointee.behind = nil
        count -= 1
    }
}
