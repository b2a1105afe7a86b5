internal import Events

/// How far a name has got.
package enum NameState: UInt8, Sendable, Comparable {
    case known
    /// There is none, or none that could be found out.
    case unknown
    /// Asked for, and worth waiting for.
    case pending

    package static func < (one: NameState, other: NameState) -> Bool { one.rawValue < other.rawValue }
}

/// A name, borrowed from the table that was asked: valid until that table's next `collect`.
package struct Name {
    /// Any bytes but NUL, 255 at most (LOGIN_NAME_MAX, bits/local_lim.h); empty unless `known`.
    package let bytes: UnsafeRawBufferPointer
    package let state: NameState

    @inline(__always)
    package init(_ bytes: UnsafeRawBufferPointer, _ state: NameState) {
        self.bytes = bytes
        self.state = state
    }

    @inline(__always) static var unknown: Name { Name(ActorFacts.none, .unknown) }
    @inline(__always) static var pending: Name { Name(ActorFacts.none, .pending) }

    static let longest = 255
}

package enum NameKind: UInt8, Sendable { case user, group }
