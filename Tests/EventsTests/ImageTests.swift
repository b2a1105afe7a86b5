@testable import Events
import KernelABI
import Testing

@Suite struct ImageTests {
    /// The members that follow from an actor's facts, as an encoder puts them.
    private func image(_ facts: ActorFacts) throws -> JSON {
        var writer = ByteWriter(capacity: 64)
        var cursor = writer.reserve(4096 + JSONString.expansion * facts.byteCount)
        cursor.put("{\"process\":{\"pid\":1")
        ECSEncoder.processHash(facts, &cursor)
        cursor.put("},\"own\":{\"id\":1")
        ECSEncoder.imageDetails(facts, &cursor)
        cursor.put("}")
        ECSEncoder.package(facts, &cursor)
        cursor.put("}")
        writer.commit(cursor)
        return try JSON(strict: writer.withBytes { Array($0) })
    }

    @Test func nothingKnown() throws {
        let event = try image(ActorFacts())
        #expect(event.leaves().map(\.name).sorted() == ["own.id", "process.pid"])
    }

    @Test func allKnown() throws {
        try Array(0..<32 as Range<UInt8>).withUnsafeBytes { hash in
            try Array("coreutils".utf8).withUnsafeBytes { name in
                try Array("9.1-1\u{22}\n".utf8).withUnsafeBytes { version in
                    var facts = ActorFacts()
                    (facts.hash, facts.packageName, facts.packageVersion) = (hash, name, version)
                    let event = try image(facts)
                    #expect(event["process.hash.sha256"]?.text == "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
                    #expect(event["package.name"]?.text == "coreutils" && event["package.version"]?.text == "9.1-1\u{22}\n")
                    #expect(event["own.unpackaged"] == nil && event["own.hash_failure"] == nil)
                    facts.packageVersion = ActorFacts.none
                    let other = try image(facts)
                    #expect(other["package.name"] != nil && other["package.version"] == nil)
                }
            }
        }
    }

    @Test func noHashAndNoPackage() throws {
        try Array("too-large".utf8).withUnsafeBytes { reason in
            var facts = ActorFacts()
            facts.hashFailure = reason
            facts.unpackaged = true
            let event = try image(facts)
            #expect(event["own.hash_failure"]?.text == "too-large" && event["own.unpackaged"] == .bool(true))
            #expect(event["process.hash"] == nil && event["package"] == nil)
        }
    }

    /// Bytes of a database are no more to be trusted than others; the bound holds for the worst.
    @Test func hostileNames() throws {
        for byte in [0, 0x22, 0x1f, 0x80, 0xff] as [UInt8] {
            try [UInt8](repeating: byte, count: 5000).withUnsafeBytes { name in
                var facts = ActorFacts()
                (facts.packageName, facts.packageVersion, facts.hashFailure) = (name, name, name)
                let event = try image(facts)
                #expect(event["package.name"]?.text != nil)
            }
        }
    }

    @Test func moduleFile() throws {
        try [UInt8](repeating: 0xab, count: 32).withUnsafeBytes { hash in
            var resolution = Resolution()
            resolution.fileHash = hash
            let event = try parse(encode(Records.module(HV_MODULE_LOAD), resolution))
            #expect(event["file.hash.sha256"]?.text == String(repeating: "ab", count: 32))
            #expect(event["hypervigil.module.hash_failure"] == nil)
        }
        try Array("gone".utf8).withUnsafeBytes { reason in
            var resolution = Resolution()
            resolution.fileHashFailure = reason
            let event = try parse(encode(Records.module(HV_MODULE_LOAD), resolution))
            #expect(event["hypervigil.module.hash_failure"]?.text == "gone" && event["file.hash"] == nil)
        }
        let plain = try parse(encode(Records.module(HV_MODULE_LOAD)))
        #expect(plain["file.hash"] == nil)
    }
}
