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
