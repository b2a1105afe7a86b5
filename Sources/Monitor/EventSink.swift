internal import Events
internal import Glibc
internal import Rings

/// Where events go as bytes: JSON or text, into one buffer that is written out in one go.
struct EventSink: ~Copyable {
    enum Format { case json, text }

    private var encoder: ECSEncoder
    private var text: TextRenderer
    private let format: Format
    private var buffer = ByteWriter(capacity: 256 << 10)
    private let descriptor: Int32
    private var monitorEvents: UInt64 = 0
    /// Bytes that may wait before they are written out between two drains.
    private static let flushAt = 128 << 10

    /// The errno that ended writing; nothing is written after it.
    private(set) var failure: Int32?

    init(format: Format, host: Host, descriptor: Int32) {
        self.format = format
        self.descriptor = descriptor
        let offset = Clock.realtimeOffset
        encoder = ECSEncoder(context: host.encoderContext(), realtimeOffset: offset)
        let terminal = isatty(descriptor) == 1
        var window = winsize()
        let columns = terminal && ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 0 ? Int(window.ws_col) : nil
        let color = terminal && getenv("NO_COLOR") == nil
        text = TextRenderer(color: color, width: columns, realtimeOffset: offset)
    }

    /// CLOCK_REALTIME minus CLOCK_BOOTTIME, ns, as it was last looked at.
    var realtimeOffset: Int64 { encoder.realtimeOffset }

    /// Call before a drain: wall-clock time may be stepped.
    mutating func refreshClock() {
        let offset = Clock.realtimeOffset
        // The offset is read with a jitter that would make times of one drain run against each other.
        guard abs(offset - encoder.realtimeOffset) > 1_000_000 else { return }
        encoder.realtimeOffset = offset
        text.realtimeOffset = offset
    }

    /// False when the record makes no event.
    mutating func write(_ record: RawSpan, _ resolution: borrowing Resolution) -> Bool {
        let made =
            switch format {
            case .json: encoder.encode(record: record, resolution, into: &buffer)
            case .text: text.render(record: record, resolution, into: &buffer)
            }
        if buffer.count >= Self.flushAt { flush() }
        return made
    }

    /// The same of a file record that was looked at already.
    @inline(__always)
    mutating func write(_ view: borrowing FileView, _ resolution: borrowing Resolution) -> Bool {
        let made =
            switch format {
            case .json: encoder.encode(view, resolution, into: &buffer)
            case .text: text.render(record: view.bytes, resolution, into: &buffer)
            }
        if buffer.count >= Self.flushAt { flush() }
        return made
    }

    mutating func write(_ detail: MonitorEvent.Detail, time: UInt64) {
        let event = MonitorEvent(time: time, sequence: monitorEvents, detail: detail)
        monitorEvents += 1
        switch format {
        case .json: encoder.encode(event, into: &buffer)
        case .text:
            switch detail {
            case .start, .stop: break  // standard error says it
            case .lost, .degraded: text.render(event, into: &buffer)
            }
        }
    }

    mutating func flush() {
        while buffer.count > 0, failure == nil {
            let written = buffer.withBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                buffer.removeFirst(written)
            } else if errno == EAGAIN {
                // A terminal or pipe that somebody made non-blocking.
                var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&ready, 1, 1000)
            } else if errno != EINTR {
                failure = errno
            }
        }
        if failure != nil { buffer.clear() }
    }
}
