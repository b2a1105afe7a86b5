/// Numbers and sizes of the rings, with what is automatic settled.
package struct RingPlan: Equatable, Sendable {
    package let bulkCount: Int
    /// Bytes of each bulk ring.
    package let bulkSize: Int
    /// Bytes of the priority ring.
    package let prioritySize: Int
    /// Bytes in a bulk ring at which the kernel wakes the consumer.
    package let wakeBytes: Int

    static let sizes = (4 << 10)...(1 << 30)
    /// Bytes of all automatic bulk rings together.
    private static let automaticTotal = 8 << 20
    private static let automaticMostRings = 8

    /// - Parameter cpus: how many CPUs the machine may bring online, at least 1.
    package init(_ settings: Settings, cpus: Int) {
        let count = settings.ringsBulkCount
        bulkCount = count > 0 ? count : min(max(cpus, 1), Self.automaticMostRings)
        let share = Self.automaticTotal / bulkCount
        bulkSize = settings.ringsBulkSize > 0 ? settings.ringsBulkSize : 1 << (Int.bitWidth - 1 - share.leadingZeroBitCount)
        prioritySize = settings.ringsPrioritySize
        wakeBytes = bulkSize * settings.ringsWakeAt / 100
    }
}
