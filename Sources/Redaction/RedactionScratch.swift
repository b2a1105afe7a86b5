/// Memory of one thread for what it masks; made once.
public struct RedactionScratch: ~Copyable {
    /// What a `Marker` writes to beside its marks.
    struct Workspace {
        let programEnds: UnsafeMutablePointer<Int>
        let patternTried: UnsafeMutablePointer<Int>
        /// Attempts of patterns that are left for the record.
        let budget: UnsafeMutablePointer<Int>
        /// Patterns that reached a limit, by their place; those from the 64th on together.
        let unsettled: UnsafeMutablePointer<UInt64>
        let match: OpaquePointer?
    }

    /// A record's fixed part and its strings, each as long as a slot can say: pages that are not written to take no memory.
    static let capacity = 4096 + 8 * (1 << 16)

    let output: UnsafeMutablePointer<UInt8>
    let marks: UnsafeMutablePointer<UInt8>
    let workspace: Workspace
    private let patterns: Int
    var length = 0

    /// - Parameter redactor: whom it serves; nil: none, and it is not used.
    public init(_ redactor: Redactor?) {
        output = .allocate(capacity: Self.capacity)
        marks = .allocate(capacity: 1 << 16)
        patterns = redactor?.patterns.count ?? 0
        workspace = Workspace(
            programEnds: .allocate(capacity: BuiltIn.programs.count), patternTried: .allocate(capacity: max(1, patterns)),
            budget: .allocate(capacity: 1), unsettled: .allocate(capacity: 1), match: patterns > 0 ? CompiledPattern.makeMatch() : nil)
        workspace.budget.initialize(to: 0)
        workspace.unsettled.initialize(to: 0)
    }

    deinit {
        output.deallocate()
        marks.deallocate()
        workspace.programEnds.deallocate()
        workspace.patternTried.deallocate()
        workspace.budget.deallocate()
        workspace.unsettled.deallocate()
        if let match = workspace.match { CompiledPattern.free(match) }
    }

    /// The record or arguments that were masked last.
    public var bytes: RawSpan {
        @_lifetime(borrow self) get { _overrideLifetime(RawSpan(_unsafeStart: UnsafeRawPointer(output), byteCount: length), borrowing: self) }
    }

    /// Patterns that reached a limit since this was asked last, by their places in the configuration, from 0 (63: that one or one behind it).
    public mutating func takeUnsettled() -> UInt64 {
        let all = workspace.unsettled.pointee
        if all != 0 { workspace.unsettled.pointee = 0 }
        return all
    }

    /// Before a string is marked.
    func clear(_ count: Int) {
        marks.update(repeating: 0, count: count)
        workspace.programEnds.update(repeating: 0, count: BuiltIn.programs.count)
        workspace.patternTried.update(repeating: -1, count: patterns)
    }
}
