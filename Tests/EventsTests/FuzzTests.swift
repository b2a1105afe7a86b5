import Glibc
import KernelABI
import Rings
import Testing

@testable import Events

/// SplitMix64: the same numbers for the same seed, so that what fails can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

/// Bytes that end where a page begins that can't be read: reading one too many ends the test program.
private struct GuardedBytes: ~Copyable {
    private static let room = 128 << 10
    private let page = Int(sysconf(CInt(_SC_PAGESIZE)))
    private let base: UnsafeMutableRawPointer

    init() {
        base = mmap(nil, Self.room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        precondition(base != MAP_FAILED && mprotect(base + Self.room, page, PROT_NONE) == 0)
    }

    deinit { munmap(base, Self.room + page) }

    func with<Result>(_ bytes: [UInt8], _ body: (RawSpan) throws -> Result) rethrows -> Result {
        let start = base + (Self.room - bytes.count)
        bytes.withUnsafeBytes { start.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(start), byteCount: bytes.count) }
        return try body(UnsafeRawBufferPointer(start: start, count: bytes.count).bytes)
    }
}

@Suite("Corrupt records")
struct FuzzTests {
    private static let samples = Samples.records.map(\.bytes) + [Records.result(error: -2)]

    /// A record with some bytes changed, cut or added; half of them with a header that owns up to the new size.
    private static func mutate(_ original: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 0...6, using: &generator) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: bytes[place] = 0xff
            case 1: bytes[place] = 0
            case 2: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 3: bytes.removeLast(Int.random(in: 0...min(bytes.count, 400), using: &generator))
            case 4: bytes += (0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            case 5:  // string slots and what is near them
                let slots = min(272, bytes.count - 1)...min(MemoryLayout<hv_file>.size - 1, bytes.count - 1)
                bytes[Int.random(in: slots, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            case 6 where bytes.count > 5: bytes[4] = UInt8.random(in: 0...7, using: &generator)
            default: bytes[place] = UInt8.random(in: 0...255, using: &generator)
            }
        }
        if bytes.count >= 4, Bool.random(using: &generator) {
            let size = UInt32(bytes.count)
            bytes.withUnsafeMutableBytes { $0.storeBytes(of: size, as: UInt32.self) }
        }
        return bytes
    }

    @Test(arguments: 0..<8)
    func encodersSurvive(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let guarded = GuardedBytes()
        var encoder = ECSEncoder(context: Records.context(), realtimeOffset: Records.offset)
        var renderer = TextRenderer(color: false, width: 100, realtimeOffset: Records.offset)
        var json = ByteWriter(capacity: 64)
        var text = ByteWriter(capacity: 64)
        var accepted = 0
        for round in 0..<1500 {
            let bytes = Self.mutate(Self.samples[Int.random(in: 0..<Self.samples.count, using: &generator)], &generator)
            json.clear()
            text.clear()
            var resolution = Resolution()
            if round % 2 == 0 {
                // As of a result that is corrupt too.
                resolution.value = generator.next()
                withUnsafeMutableBytes(of: &resolution.object) { for place in $0.indices { $0[place] = UInt8.random(in: 0...255, using: &generator) } }
            }
            let encoded = guarded.with(bytes) { encoder.encode(record: $0, resolution, into: &json) }
            let rendered = guarded.with(bytes) { renderer.render(record: $0, resolution, into: &text) }
            #expect(encoded == rendered)
            if !encoded { #expect(json.count == 0 && text.count == 0) }
            guard encoded else { continue }
            accepted += 1
            if round % 4 == 0 { _ = try parse(json.withBytes { [UInt8]($0) }) }
            #expect(text.withBytes { $0.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x0a } })
        }
        // Else this tests nothing.
        #expect(accepted > 300)
    }

    /// Random string slots, some of them the end of the next one: every string that a view gives lies in the record.
    @Test(arguments: 0..<4)
    func randomSlots(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let guarded = GuardedBytes()
        let slots = MemoryLayout<hv_file>.offset(of: \.strings) ?? 0
        var accepted = 0
        for _ in 0..<5000 {
            var bytes = Records.file()
            bytes += (0..<Int.random(in: 0...40, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let size = UInt32(bytes.count)
            bytes.withUnsafeMutableBytes { buffer in
                buffer.storeBytes(of: size, as: UInt32.self)
                for slot in 0..<Int(HV_FILE_STRINGS.rawValue) {
                    let suffix = Int.random(in: 0..<4, using: &generator) == 0
                    let length = Int.random(in: 0..<50, using: &generator) == 0 ? UInt16.max : UInt16.random(in: 0...12, using: &generator)
                    let string = hv_string(length: length, flags: suffix ? UInt16(HV_STRING_SUFFIX) : 0)
                    buffer.storeBytes(of: string, toByteOffset: slots + slot * MemoryLayout<hv_string>.stride, as: hv_string.self)
                }
            }
            guarded.with(bytes) { record in
                guard let view = FileView(record) else { return }
                accepted += 1
                record.withUnsafeBytes { whole in
                    let room = UInt(bitPattern: whole.baseAddress) + UInt(MemoryLayout<hv_file>.size)
                    for slot in 0..<HV_FILE_STRINGS.rawValue {
                        view.string(hv_file_string(slot)).withUnsafeBytes { string in
                            let start = UInt(bitPattern: string.baseAddress)
                            #expect(start >= room && start + UInt(string.count) <= UInt(bitPattern: whole.baseAddress) + UInt(whole.count))
                        }
                    }
                }
            }
        }
        #expect(accepted > 100)
    }

    /// Random bytes under a header that fits them.
    @Test(arguments: 1...6)
    func randomRecords(_ kind: UInt16) throws {
        var generator = SeededGenerator(seed: UInt64(kind))
        let guarded = GuardedBytes()
        var encoder = ECSEncoder(context: Records.context(), realtimeOffset: .max)
        var writer = ByteWriter(capacity: 64)
        for _ in 0..<1000 {
            var bytes = (0..<Int.random(in: 8...6000, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let size = UInt32(bytes.count)
            bytes.withUnsafeMutableBytes {
                $0.storeBytes(of: size, as: UInt32.self)
                $0.storeBytes(of: kind, toByteOffset: 4, as: UInt16.self)
            }
            // Short strings now and then, or none would fit.
            let slots = 250..<MemoryLayout<hv_file>.size
            if bytes.count > slots.upperBound, Bool.random(using: &generator) { for place in slots where place % 2 == 1 { bytes[place] = 0 } }
            writer.clear()
            if guarded.with(bytes, { encoder.encode(record: $0, Resolution(), into: &writer) }) {
                _ = try parse(writer.withBytes { [UInt8]($0) })
            }
        }
    }

    /// Each length that is too short by one, too long by one, or not what the header says.
    @Test func sizesMustAgree() {
        for record in Self.samples {
            for bytes in [Array(record.dropLast()), record + [0], Array(record.prefix(31)), []] {
                let view = HeaderView(bytes.span.bytes)
                #expect(view == nil ? true : false)
                #expect(encode(bytes) == nil)
            }
        }
        // Strings that say more than there is.
        var exec = Records.exec()
        let slots = MemoryLayout<hv_exec>.offset(of: \.strings) ?? 0
        exec[slots] += 1
        #expect(encode(exec) == nil)
        // Bytes behind the last string are no harm: a later ABI may have more.
        exec[slots] -= 2
        #expect(encode(exec) != nil)
    }

    /// The writer's bound holds for the largest records of the worst bytes.
    @Test(arguments: [0x00, 0x01, 0x22, 0xff, 0xc3] as [UInt8])
    func worstCase(_ byte: UInt8) throws {
        let path = [UInt8](repeating: byte, count: Int(HV_PATH_MAX))
        let argument = [UInt8](repeating: byte, count: Int(HV_ARGS_MAX) - 1)
        for record in [
            Records.exec(executable: path, filename: path, interpreter: path, directory: path, cgroup: path, arguments: [argument]),
            Records.file(
                HV_FILE_RENAME, inner: path, actorPath: path, targetInner: path, targetActor: path, name: path, targetName: path,
                flags: HV_FILE_SPELLED | HV_FILE_TARGET_SPELLED),
            Records.file(inner: [], actorPath: [UInt8](repeating: byte, count: 65535)),
            Records.file(
                HV_FILE_MOUNT, inner: path, actorPath: path, text: path, text2: path, stringFlags: [UInt16](repeating: 15, count: 8)
            ) { ($0.value, $0.value_2) = (.max - 1, .max) },
            Records.file(HV_FILE_SETFLAGS, inner: path, actorPath: path) { ($0.value, $0.value_2) = (.max - 1, .max - 1) },
            Records.file(HV_FILE_SYMLINK, inner: path, actorPath: path, text: [UInt8](repeating: byte, count: 65535)),
            Records.module(name: path, arguments: argument, file: path, inner: path, hint: path),
        ] {
            _ = try parse(encode(record))
        }
    }
}
