/// What is known of an executable or a module's file beside the record: its hash, and the package that owns it.
extension ECSEncoder {
    /// `,"hash":{"sha256":"..."}` of an object that is open; nothing where there is none.
    @inline(__always)
    static func processHash(_ facts: borrowing ActorFacts, _ cursor: inout Cursor) {
        guard facts.hash.count == 32 else { return }
        cursor.put(",")
        hash(facts.hash, &cursor)
    }

    /// The members of `hypervigil.process`, each with a comma before it: `hash_failure` and `unpackaged`.
    @inline(__always)
    static func imageDetails(_ facts: borrowing ActorFacts, _ cursor: inout Cursor) {
        if facts.hashFailure.count > 0 {
            cursor.put(",\"hash_failure\":\"")
            text(facts.hashFailure, &cursor)
            cursor.put("\"")
        }
        if facts.unpackaged { cursor.put(",\"unpackaged\":true") }
    }

    /// `,"package":{"name":"...","version":"..."}` at the top level; nothing where no package is known.
    @inline(__always)
    static func package(_ facts: borrowing ActorFacts, _ cursor: inout Cursor) {
        guard facts.packageName.count > 0 else { return }
        cursor.put(",\"package\":{\"name\":\"")
        text(facts.packageName, &cursor)
        if facts.packageVersion.count > 0 {
            cursor.put("\",\"version\":\"")
            text(facts.packageVersion, &cursor)
        }
        cursor.put("\"}")
    }

    /// `"hash":{"sha256":"..."},` of `file`; nothing where there is none.
    @inline(__always)
    static func fileHash(_ resolution: borrowing Resolution, _ cursor: inout Cursor) {
        guard resolution.fileHash.count == 32 else { return }
        hash(resolution.fileHash, &cursor)
        cursor.put(",")
    }

    /// `"hash_failure":"...",` of `hypervigil.module`; nothing where there is none.
    @inline(__always)
    static func fileHashFailure(_ resolution: borrowing Resolution, _ cursor: inout Cursor) {
        guard resolution.fileHashFailure.count > 0 else { return }
        cursor.put("\"hash_failure\":\"")
        text(resolution.fileHashFailure, &cursor)
        cursor.put("\",")
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        cursor.put("\"hash\":{\"sha256\":\"")
        let digits: StaticString = "0123456789abcdef"
        for byte in bytes {
            cursor.put(digits.utf8Start[Int(byte >> 4)])
            cursor.put(digits.utf8Start[Int(byte & 15)])
        }
        cursor.put("\"}")
    }

    /// Of the host's own databases, or an identifier: what is not UTF-8 there needs no second copy.
    private static func text(_ bytes: UnsafeRawBufferPointer, _ cursor: inout Cursor) {
        guard let start = bytes.baseAddress else { return }
        cursor.position = JSONString.write(start, bytes.count, to: cursor.position).end
    }
}
