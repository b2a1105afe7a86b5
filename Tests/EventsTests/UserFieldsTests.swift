import Foundation
import Testing

@testable import Events

/// What the functions write, put together as an event has them.
private func event(_ change: (inout ActorFacts) -> Void) throws -> (object: JSON, count: Int) {
    var encoder = ECSEncoder(context: Records.context(), realtimeOffset: 0)
    var writer = ByteWriter()
    var facts = ActorFacts()
    change(&facts)
    var cursor = writer.reserve(4096 + withUnsafePointer(to: facts) { encoder.encodedBound($0) })
    let start = cursor.position
    func put(_ text: StaticString) { cursor.put(text) }
    put("{\"process\":{\"saved_user\":{\"id\":\"1\"")
    encoder.name(facts.savedUserName, .processSavedUserName, &cursor)
    put("}},\"user\":{\"id\":\"1\"")
    encoder.name(facts.userName, .userName, &cursor)
    put(",\"effective\":{\"id\":\"1\"")
    encoder.name(facts.effectiveUserName, .userEffectiveName, &cursor)
    put(",\"group\":{\"id\":\"1\"")
    encoder.name(facts.effectiveGroupName, .userEffectiveGroupName, &cursor)
    put("}},\"audit\":{\"id\":\"1\"")
    encoder.name(facts.loginUserName, .userAuditName, &cursor)
    put("}},\"group\":{\"id\":\"1\"")
    encoder.name(facts.groupName, .groupName, &cursor)
    put("}")
    withUnsafePointer(to: facts) { encoder.source($0, &cursor) }
    put(",\"hypervigil\":{\"monotonic\":\"1\"")
    withUnsafePointer(to: facts) { encoder.ownUser($0, &cursor) }
    let count = cursor.position - start
    encoder.finish(&cursor)
    writer.commit(cursor)
    return (try parse(writer.withBytes { Array($0) }), count)
}

/// Bytes that stay for as long as the program runs.
private func kept(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    copy.copyBytes(from: bytes)
    return UnsafeRawBufferPointer(copy)
}

private func leaves(_ change: (inout ActorFacts) -> Void) throws -> [String: JSON] {
    Dictionary(uniqueKeysWithValues: try event(change).object.leaves().map { ($0.0, $0.1) })
}

struct UserFieldsTests {
    @Test func nothingIsKnown() throws {
        #expect(
            try Set(leaves { _ in }.keys) == [
                "process.saved_user.id", "user.id", "user.effective.id", "user.effective.group.id", "user.audit.id", "group.id", "hypervigil.monotonic",
            ])
    }

    @Test func allIsKnown() throws {
        let fields = try leaves {
            $0.userName = kept("ann".utf8)
            $0.effectiveUserName = kept("root".utf8)
            $0.savedUserName = kept("saved".utf8)
            $0.groupName = kept("staff".utf8)
            $0.effectiveGroupName = kept("wheel".utf8)
            $0.loginUserName = kept("login".utf8)
            $0.namesAreClaimed = true
            $0.innerUser = 0
            $0.innerGroup = .max - 1
            $0.sessionRemote = kept("192.0.2.7".utf8)
            $0.sessionTerminal = kept("pts/2".utf8)
        }
        #expect(fields["user.name"]?.text == "ann" && fields["user.effective.name"]?.text == "root" && fields["process.saved_user.name"]?.text == "saved")
        #expect(fields["group.name"]?.text == "staff" && fields["user.effective.group.name"]?.text == "wheel" && fields["user.audit.name"]?.text == "login")
        #expect(fields["source.address"]?.text == "192.0.2.7" && fields["source.ip"]?.text == "192.0.2.7")
        #expect(fields["hypervigil.login.terminal"]?.text == "pts/2")
        #expect(fields["hypervigil.user.inner.id"]?.text == "0" && fields["hypervigil.user.inner.group.id"]?.text == "4294967294")
        guard case .bool(true) = fields["hypervigil.user.claimed"] else {
            Issue.record("not claimed")
            return
        }
        let schema = try Schema()
        for (field, value) in fields where !field.hasPrefix("hypervigil.") { #expect(schema.complaint(field, value) == nil) }
    }

    @Test(arguments: [(true, nil, nil), (false, 5, nil), (false, nil, 6), (true, nil, 6)] as [(Bool, UInt32?, UInt32?)])
    func parts(_ claimed: Bool, _ user: UInt32?, _ group: UInt32?) throws {
        let fields = try leaves { ($0.namesAreClaimed, $0.innerUser, $0.innerGroup) = (claimed, user, group) }
        #expect((fields["hypervigil.user.claimed"] != nil) == claimed)
        #expect(fields["hypervigil.user.inner.id"]?.text == user.map(String.init))
        #expect(fields["hypervigil.user.inner.group.id"]?.text == group.map(String.init))
    }

    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::1"), ("::ffff:192.0.2.7", "::ffff:192.0.2.7"), ("fe80::1%eth0", "fe80::1"),
        ("host.example", nil), ("192.0.2", nil), ("192.0.2.7%eth0", nil), ("%", nil), (":", nil), ("1", nil), ("192.0.2.7\u{0}x", nil),
        (String(repeating: "1", count: 255), nil),
    ] as [(String, String?)])
    func addresses(_ remote: String, _ address: String?) throws {
        let fields = try leaves { $0.sessionRemote = kept(remote.utf8) }
        #expect(fields["source.address"]?.text == remote)
        #expect(fields["source.ip"]?.text == address)
    }

    @Test func hostileBytes() throws {
        let fields = try leaves {
            $0.userName = kept([0x22, 0x5c, 0x0a, 0xff])
            $0.effectiveGroupName = kept([0xfe])
            $0.loginUserName = kept([0xc3, 0xa9])
        }
        #expect(fields["user.name"]?.text == "\"\\\n\u{FFFD}" && fields["user.audit.name"]?.text == "é")
        #expect(fields["hypervigil.raw.user.name"]?.text == Data([0x22, 0x5c, 0x0a, 0xff]).base64EncodedString())
        #expect(fields["hypervigil.raw.user.effective.group.name"]?.text == Data([0xfe]).base64EncodedString())
        #expect(fields["hypervigil.raw.user.audit.name"] == nil)
    }

    /// The room that the encoder keeps is enough for the worst, and what is longer is left out.
    @Test func bounds() throws {
        func all(_ bytes: [UInt8]) -> (inout ActorFacts) -> Void {
            let bytes = kept(bytes)
            return {
                ($0.userName, $0.effectiveUserName, $0.savedUserName, $0.groupName, $0.effectiveGroupName, $0.loginUserName) =
                    (bytes, bytes, bytes, bytes, bytes, bytes)
                ($0.sessionRemote, $0.sessionTerminal) = (bytes, bytes)
                ($0.namesAreClaimed, $0.innerUser, $0.innerGroup) = (true, .max, .max)
            }
        }
        let empty = try event { _ in }.count
        let worst = try event(all([UInt8](repeating: 1, count: 255))).count
        var facts = ActorFacts()
        all([UInt8](repeating: 1, count: 255))(&facts)
        #expect(worst - empty <= withUnsafePointer(to: facts) { ECSEncoder(context: Records.context(), realtimeOffset: 0).encodedBound($0) } && worst > empty)
        let longer = try event(all([UInt8](repeating: 1, count: 256)))
        #expect(longer.object.leaves().allSatisfy { !$0.0.hasSuffix("name") && !$0.0.hasPrefix("source") && !$0.0.hasSuffix("terminal") })
    }
}
