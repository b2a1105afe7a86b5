public import KernelABI

/// A new process; the actor is the child.
public struct ForkView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_fork.self, kind: HV_KIND_FORK) else { return nil }
        self.bytes = bytes
    }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_fork.actor)) } }
    /// The process that called clone; not the parent with CLONE_PARENT.
    @inlinable public var forkerPid: UInt32 { bytes.field(\hv_fork.forker_pid) }
    /// CLOCK_BOOTTIME, nanoseconds.
    @inlinable public var forkerStart: UInt64 { bytes.field(\hv_fork.forker_start) }
}

/// The end of a process.
public struct ExitView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_exit.self, kind: HV_KIND_EXIT) else { return nil }
        self.bytes = bytes
    }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_exit.actor)) } }
    /// As wait(2) has it.
    @inlinable public var status: UInt32 { bytes.field(\hv_exit.status) }
    /// What it was killed by; 0: it ended by itself.
    @inlinable public var signal: UInt32 { status & 0x7f }
    @inlinable public var dumpedCore: Bool { status & 0x80 != 0 }
    /// What it passed to _exit(2); 0 where a signal ended it.
    @inlinable public var code: UInt32 { status >> 8 & 0xff }
}

/// A call that gave the calling thread other namespaces, or was refused.
public struct NamespaceView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_namespace.self, kind: HV_KIND_NAMESPACE) else { return nil }
        self.bytes = bytes
    }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    /// As it is after the call.
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_namespace.actor)) } }
    /// `CLONE_*` of linux/sched.h; of setns(2) 0 where any will do.
    @inlinable public var asked: UInt64 { bytes.field(\hv_namespace.asked) }
    /// An `hv_namespace_call`, or a number this program does not know.
    @inlinable public var call: UInt32 { bytes.field(\hv_namespace.call) }
    /// 0 or a negative errno.
    @inlinable public var error: Int32 { bytes.field(\hv_namespace.error) }
}

/// A process that was there when the monitor started.
public struct ProcessView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_process.self, kind: HV_KIND_PROCESS, slots: Int(HV_PROCESS_STRINGS.rawValue), at: Self.slots) else { return nil }
        self.bytes = bytes
    }

    /// Calls `body` with each of records that lie one behind the other; what is no whole record ends it.
    public static func each(in records: RawSpan, _ body: (borrowing ProcessView) -> Void) {
        var at = 0
        while records.byteCount - at >= MemoryLayout<hv_header>.size {
            let size = Int(records.unsafeLoadUnaligned(fromByteOffset: at, as: UInt32.self))
            guard size >= MemoryLayout<hv_header>.size, size <= records.byteCount - at else { return }
            if let view = ProcessView(records.extracting(at..<(at + size))) { body(view) }
            at += size
        }
    }

    @inlinable static var slots: Int { @inline(__always) get { MemoryLayout<hv_process>.offset(of: \.strings).unsafelyUnwrapped } }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_process.actor)) } }
    /// All 0: a thread of the kernel's, or it has ended.
    @inlinable public var executable: hv_object { bytes.field(\hv_process.executable) }
    /// ns since 1970.
    @inlinable public var executableChanged: UInt64 { bytes.field(\hv_process.executable_ctime) }
    /// In its mount namespace.
    @inlinable public var executablePath: RawSpan {
        @_lifetime(copy self) get { bytes.string(Int(HV_PROCESS_EXECUTABLE.rawValue), of: hv_process.self, at: Self.slots) }
    }
    /// In its hierarchy.
    @inlinable public var cgroupPath: RawSpan {
        @_lifetime(copy self) get { bytes.string(Int(HV_PROCESS_CGROUP.rawValue), of: hv_process.self, at: Self.slots) }
    }
}

/// A cgroup that was made, renamed or removed. It has no actor, and is no event.
public struct CgroupView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_cgroup.self, kind: HV_KIND_CGROUP, slots: Int(HV_CGROUP_STRINGS.rawValue), at: Self.slots) else { return nil }
        self.bytes = bytes
    }

    @inlinable static var slots: Int { @inline(__always) get { MemoryLayout<hv_cgroup>.offset(of: \.strings).unsafelyUnwrapped } }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    /// Id in its hierarchy.
    @inlinable public var cgroup: UInt64 { ActorView.cgroupID(bytes.field(\hv_cgroup.cgroup)) }
    /// As `ActorView.cgroupHierarchy`.
    @inlinable public var hierarchy: UInt8 { UInt8(truncatingIfNeeded: bytes.field(\hv_cgroup.cgroup) &>> UInt64(HV_CGROUP_SHIFT)) }
    /// Id of the one above it; 0: it is the root.
    @inlinable public var parent: UInt64 { ActorView.cgroupID(bytes.field(\hv_cgroup.parent)) }
    /// An `hv_cgroup_action`, or a number this program does not know.
    @inlinable public var action: UInt32 { bytes.field(\hv_cgroup.action) }
    /// In its hierarchy; after a rename the new one.
    @inlinable public var path: RawSpan {
        @_lifetime(copy self) get { bytes.string(Int(HV_CGROUP_PATH.rawValue), of: hv_cgroup.self, at: Self.slots) }
    }
    @inlinable public var pathFlags: StringFlags { bytes.stringFlags(Int(HV_CGROUP_PATH.rawValue), at: Self.slots) }
}
