public import KernelABI

/// An exec, done or failed (`error`). After a failed one the actor is still the caller's image.
public struct ExecView: ~Escapable {
    public let bytes: RawSpan

    /// Nil where the bytes are not one whole `hv_exec` with its strings.
    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_exec.self, kind: HV_KIND_EXEC, slots: Int(HV_EXEC_STRINGS.rawValue), at: Self.slots) else { return nil }
        self.bytes = bytes
    }

    @inlinable static var slots: Int { @inline(__always) get { MemoryLayout<hv_exec>.offset(of: \.strings).unsafelyUnwrapped } }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_exec.actor)) } }
    @inlinable public var executableObject: hv_object { bytes.field(\hv_exec.executable) }
    /// All 0 where nothing is known of a script.
    @inlinable public var scriptObject: hv_object { bytes.field(\hv_exec.script) }
    /// Filled in only with `HV_EXEC_BEFORE`.
    @inlinable public var before: hv_credentials { bytes.field(\hv_exec.before) }
    /// When the executable was last changed, its attributes included, ns since 1970; 0 where there is none.
    @inlinable public var executableChanged: UInt64 { bytes.field(\hv_exec.executable_ctime) }
    /// True count of arguments, also where they were cut.
    @inlinable public var argumentCount: UInt32 { bytes.field(\hv_exec.args_count) }
    /// True size of the arguments in bytes.
    @inlinable public var argumentSize: UInt32 { bytes.field(\hv_exec.args_size) }
    /// 0 or a negative errno.
    @inlinable public var error: Int32 { bytes.field(\hv_exec.error) }
    /// The thread that called execve; differs from the actor's tid where it was not the leader.
    @inlinable public var callingThread: UInt32 { bytes.field(\hv_exec.old_tid) }

    /// Path in the actor's mount namespace; empty where the exec failed.
    @inlinable public var executable: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_EXECUTABLE) } }
    /// What the caller wrote.
    @inlinable public var filename: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_FILENAME) } }
    /// Of a script, as its first line has it.
    @inlinable public var interpreter: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_INTERPRETER) } }
    /// Working directory in the actor's mount namespace.
    @inlinable public var directory: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_DIRECTORY) } }
    @inlinable public var cgroupPath: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_CGROUP) } }
    /// Arguments, each ended by a NUL; the last may be cut and then has none.
    @inlinable public var arguments: RawSpan { @_lifetime(copy self) get { string(HV_EXEC_ARGS) } }

    @inlinable @inline(__always) @_lifetime(copy self)
    public func string(_ slot: hv_exec_string) -> RawSpan { bytes.string(Int(slot.rawValue), of: hv_exec.self, at: Self.slots) }

    @inlinable @inline(__always)
    public func flags(of slot: hv_exec_string) -> StringFlags { bytes.stringFlags(Int(slot.rawValue), at: Self.slots) }
}
