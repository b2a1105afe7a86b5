/// What is the same in every event of a run, rendered once.
public struct EncoderContext: Sendable {
    /// The published version of ECS whose names are used; see ThirdParty/ecs.
    public static let ecsVersion = "9.3.0"

    /// From behind the value of `@timestamp` to the beginning of every event id, `"id":"<boot id>-<run id>-`.
    let opening: [UInt8]
    /// `"entity_id":"<boot id>-`, the beginning of every process's.
    let entityID: [UInt8]

    /// - Parameters:
    ///   - bootID: /proc/sys/kernel/random/boot_id.
    ///   - hostID: /etc/machine-id; also the agent's id, of which there is one a host.
    ///   - runID: 64 random bits, new whenever the programs are loaded.
    public init(bootID: String, hostID: String, hostName: String, runID: UInt64, agentVersion: String) {
        let boot = Self.escaped(bootID)
        let host = Self.escaped(hostID)
        var opening = Array("\",\"ecs\":{\"version\":\"\(Self.ecsVersion)\"},\"agent\":{\"name\":\"hypervigil\",\"version\":\"".utf8)
        opening += Self.escaped(agentVersion) + Array("\",\"id\":\"".utf8) + host
        opening += Array("\"},\"host\":{\"id\":\"".utf8) + host + Array("\",\"name\":\"".utf8) + Self.escaped(hostName)
        opening += Array("\",\"boot\":{\"id\":\"".utf8) + boot + Array("\"}},\"event\":{".utf8)
        let digits = String(runID, radix: 16)
        let run = String(repeating: "0", count: 16 - digits.utf8.count) + digits
        self.opening = opening + Array("\"id\":\"".utf8) + boot + Array("-\(run)-".utf8)
        entityID = Array("\"entity_id\":\"".utf8) + boot + Array("-".utf8)
    }

    private static func escaped(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return [] }
        return [UInt8](unsafeUninitializedCapacity: bytes.count * JSONString.expansion + Cursor.slack) { buffer, count in
            guard let start = buffer.baseAddress else { return }
            let end = bytes.withUnsafeBytes { bytes in
                bytes.baseAddress.map { JSONString.write($0, bytes.count, to: UnsafeMutableRawPointer(start)).end }
            }
            if let end { count = end - UnsafeMutableRawPointer(start) }
        }
    }

    /// The most bytes that one event takes from here.
    var constantBytes: Int { opening.count + 3 * entityID.count }
}

/// Bytes that are copied into every event. An array of them would be retained and released each time.
struct ConstantBytes: ~Copyable {
    private let start: UnsafeMutableRawPointer
    private let count: Int

    init(_ bytes: [UInt8]) {
        count = bytes.count
        start = .allocate(byteCount: max(count, 1), alignment: 16)
        bytes.withUnsafeBytes { if let from = $0.baseAddress { start.copyMemory(from: from, byteCount: $0.count) } }
    }

    deinit { start.deallocate() }

    @inline(__always)
    func write(_ cursor: inout Cursor) { cursor.copy(start, count) }
}
