// A product as an order sees it.
import type { Money } from "../vocabulary/money.ts"

export type Product = { price: Money; active: boolean; weightGrams: number }
