internal import Glibc

/// What `ActorFacts` tells of who the actor is.
///
/// | field | from | where |
/// |---|---|---|
/// | `user.name`, `user.effective.name`, `group.name` | `userName`, `effectiveUserName`, `groupName` | `name`, behind the id |
/// | `user.effective.group.name` | `effectiveGroupName` | the same |
/// | `user.audit.name` | `loginUserName` | the same |
/// | `process.saved_user.name` | `savedUserName` | the same |
/// | `source.address`, `source.ip` | `sessionRemote` | `source`, at the top |
/// | `hypervigil.user.claimed`, `.inner.id`, `.inner.group.id` | `namesAreClaimed`, `innerUser`, `innerGroup` | `ownUser`, in `hypervigil` |
/// | `hypervigil.login.terminal` | `sessionTerminal` | the same |
extension ECSEncoder {
    /// Bytes of one name; of a longer one nothing is written.
    static var longestName: Int { 255 }

    /// `,"name":"..."` behind another member.
    @inline(__always)
    mutating func name(_ name: ActorFacts.Bytes, _ field: RawField, _ cursor: inout Cursor) {
        guard name.count > 0, name.count <= Self.longestName else { return }
        cursor.put(",\"name\":\"")
        string(name, field, &cursor)
        cursor.put("\"")
    }

    /// `,"source":{...}`, where the login session comes from another machine.
    mutating func source(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        let remote = facts.pointee.sessionRemote
        guard remote.count > 0, remote.count <= Self.longestName else { return }
        cursor.put(",\"source\":{\"address\":\"")
        string(remote, .sourceAddress, &cursor)
        cursor.put("\"")
        if let address = Self.address(remote) {
            cursor.put(",\"ip\":\"")
            // Nothing in it is to be escaped.
            cursor.copy(address.baseAddress.unsafelyUnwrapped, address.count)
            cursor.put("\"")
        }
        cursor.put("}")
    }

    /// `,"user":{...}` and `,"login":{...}`, in `hypervigil` before its `process`.
    mutating func ownUser(_ facts: UnsafePointer<ActorFacts>, _ cursor: inout Cursor) {
        let (user, group) = (facts.pointee.innerUser, facts.pointee.innerGroup)
        if facts.pointee.namesAreClaimed || user != nil || group != nil {
            cursor.put(",\"user\":{")
            if facts.pointee.namesAreClaimed { cursor.put("\"claimed\":true,") }
            if user != nil || group != nil {
                cursor.put("\"inner\":{")
                if let user {
                    cursor.put("\"id\":")
                    cursor.quoted(user)
                    cursor.put(",")
                }
                if let group {
                    cursor.put("\"group\":{\"id\":")
                    cursor.quoted(group)
                    cursor.put("}")
                }
                cursor.closeObject()
            }
            cursor.closeObject()
        }
        let terminal = facts.pointee.sessionTerminal
        if terminal.count > 0, terminal.count <= Self.longestName {
            cursor.put(",\"login\":{\"terminal\":\"")
            string(terminal, .loginTerminal, &cursor)
            cursor.put("\"}")
        }
    }

    /// The address that the bytes are, without the scope of a link-local one, which no field of type `ip` takes; nil for a name.
    static func address(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let end = bytes.firstIndex(of: UInt8(ascii: "%")) ?? bytes.count
        // INET6_ADDRSTRLEN, with its NUL.
        guard end > 0, end < 46, bytes[..<end].allSatisfy({ $0 == 0x2e || $0 == 0x3a || $0 >= 0x30 && $0 <= 0x39 || $0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66 })
        else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 46) { text in
            for index in 0..<end { text[index] = CChar(bitPattern: bytes[index]) }
            text[end] = 0
            var address = in6_addr()
            let start = text.baseAddress.unsafelyUnwrapped
            guard inet_pton(AF_INET6, start, &address) == 1 || end == bytes.count && inet_pton(AF_INET, start, &address) == 1 else { return nil }
            return UnsafeRawBufferPointer(rebasing: bytes[..<end])
        }
    }
}
