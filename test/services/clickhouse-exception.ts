/** A refusal in the server's own terms. */
export class ClickHouseException extends Error {
  readonly code: number
  readonly type: string

  constructor(code: number, type: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.type = type
  }
}

/** What the engine throws begins "Code: 60. DB::Exception: " and ends "(UNKNOWN_TABLE)". */
export function exceptionOf(error: unknown): ClickHouseException {
  if (error instanceof ClickHouseException) return error
  const message = error instanceof Error ? error.message : String(error)
  const match = /Code:\s*(\d+)\.\s*DB::Exception:\s*([\s\S]*)\(([A-Z][A-Z0-9_]+)\)/.exec(message)
  if (!match) return new ClickHouseException(1002, 'UNKNOWN_EXCEPTION', message, {cause: error})
  return new ClickHouseException(Number(match[1]), match[3]!, match[2]!.trim(), {cause: error})
}

/** As https://github.com/ClickHouse/ClickHouse/blob/master/src/Server/HTTP/exceptionCodeToHTTPStatus.cpp has it; all others are 500. */
const CODES_BY_STATUS: Readonly<Record<number, readonly number[]>> = {
  400: [6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676],
  401: [194],
  403: [192, 193, 497, 512, 516],
  404: [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511],
  408: [159],
  411: [381],
  413: [229],
  415: [779],
  501: [48],
  503: [76, 209, 439],
}

const STATUS_BY_CODE = new Map(
  Object.entries(CODES_BY_STATUS).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)] as const)),
)

export const statusOf = ({code}: ClickHouseException) => STATUS_BY_CODE.get(code) ?? 500
