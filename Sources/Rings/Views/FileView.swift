public import KernelABI

/// A change of a file, or of a name.
public struct FileView: ~Escapable {
    public let bytes: RawSpan

    /// Nil where the bytes are not one whole `hv_file` with its strings.
    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_file.self, kind: HV_KIND_FILE, slots: Int(HV_FILE_STRINGS.rawValue), at: Self.slots) else { return nil }
        self.bytes = bytes
    }

    @inlinable static var slots: Int { @inline(__always) get { MemoryLayout<hv_file>.offset(of: \.strings).unsafelyUnwrapped } }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var actor: ActorView { @_lifetime(copy self) get { ActorView(validated: bytes.member(\hv_file.actor)) } }
    @inlinable public var object: hv_object { bytes.field(\hv_file.object) }
    /// Rename: what was there before (the victim, or the other of an exchange). All 0: nothing.
    @inlinable public var target: hv_object { bytes.field(\hv_file.target) }
    /// With `HV_FILE_PENDING`: pairs with the `ResultView` of the same operation and thread.
    @inlinable public var operation: UInt64 { bytes.field(\hv_file.operation) }
    /// Write: changes so far through this handle by this process.
    @inlinable public var operations: UInt64 { bytes.field(\hv_file.operations) }
    /// Write: bytes before the first change; all ones: not known.
    @inlinable public var sizeBefore: UInt64 { bytes.field(\hv_file.size_before) }
    /// Write: CLOCK_BOOTTIME of the first and the last change, nanoseconds.
    @inlinable public var first: UInt64 { bytes.field(\hv_file.first) }
    @inlinable public var last: UInt64 { bytes.field(\hv_file.last) }
    /// What they are goes by the action: see `hv_file_action`.
    @inlinable public var value: UInt64 { bytes.field(\hv_file.value) }
    @inlinable public var value2: UInt64 { bytes.field(\hv_file.value_2) }
    /// An `hv_file_action`, or a number this program does not know.
    @inlinable public var action: UInt32 { bytes.field(\hv_file.action) }
    /// 0 or a negative errno.
    @inlinable public var error: Int32 { bytes.field(\hv_file.error) }
    /// Number of the watch entry that decided; 0: not decided in the kernel.
    @inlinable public var watch: UInt32 { bytes.field(\hv_file.watch) }
    /// Device of the directory that a spelled name is relative to.
    @inlinable public var directoryDevice: UInt32 { bytes.field(\hv_file.directory_device) }

    /// `HV_VIA_*`: ways in which something was written, so far; 0 where it is not known.
    @inlinable public var via: UInt32 { bytes.field(\hv_file.via) }

    /// Path inside the file system, from its root.
    @inlinable public var inner: RawSpan { @_lifetime(copy self) get { string(HV_FILE_INNER) } }
    /// Path in the actor's mount namespace; empty where the hook has no mount.
    @inlinable public var actorPath: RawSpan { @_lifetime(copy self) get { string(HV_FILE_ACTOR) } }
    @inlinable public var targetInner: RawSpan { @_lifetime(copy self) get { string(HV_FILE_TARGET_INNER) } }
    @inlinable public var targetActorPath: RawSpan { @_lifetime(copy self) get { string(HV_FILE_TARGET_ACTOR) } }
    /// Only with `HV_FILE_SPELLED`.
    @inlinable public var name: RawSpan { @_lifetime(copy self) get { string(HV_FILE_NAME) } }
    /// Only with `HV_FILE_TARGET_SPELLED`.
    @inlinable public var targetName: RawSpan { @_lifetime(copy self) get { string(HV_FILE_TARGET_NAME) } }
    /// What they are goes by the action: see `hv_file_action`.
    @inlinable public var text: RawSpan { @_lifetime(copy self) get { string(HV_FILE_TEXT) } }
    @inlinable public var text2: RawSpan { @_lifetime(copy self) get { string(HV_FILE_TEXT_2) } }

    @inlinable @inline(__always) @_lifetime(copy self)
    public func string(_ slot: hv_file_string) -> RawSpan { bytes.string(Int(slot.rawValue), of: hv_file.self, at: Self.slots) }

    /// Bytes of a string, for those who only want to know whether there is one.
    @inlinable @inline(__always)
    public func byteCount(of slot: hv_file_string) -> Int { Int(bytes.stringSlot(Int(slot.rawValue), at: Self.slots).length) }

    @inlinable @inline(__always)
    public func flags(of slot: hv_file_string) -> StringFlags { bytes.stringFlags(Int(slot.rawValue), at: Self.slots) }
}

/// How the operation of an earlier `FileView` of the same thread ended.
public struct ResultView: ~Escapable {
    public let bytes: RawSpan

    @inlinable @inline(__always) @_lifetime(copy bytes)
    public init?(_ bytes: RawSpan) {
        guard bytes.isRecord(hv_result.self, kind: HV_KIND_RESULT) else { return nil }
        self.bytes = bytes
    }

    @inlinable public var header: HeaderView { @_lifetime(copy self) get { HeaderView(validated: bytes) } }
    @inlinable public var operation: UInt64 { bytes.field(\hv_result.operation) }
    @inlinable public var tid: UInt32 { bytes.field(\hv_result.tid) }
    /// 0 or a negative errno.
    @inlinable public var error: Int32 { bytes.field(\hv_result.error) }
    /// In place of `FileView.value`, where it is not all ones.
    @inlinable public var value: UInt64 { bytes.field(\hv_result.value) }
    /// What is there now; all 0 where it is not known.
    @inlinable public var object: hv_object { bytes.field(\hv_result.object) }
}
