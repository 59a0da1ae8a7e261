// A product as an order sees it.
import type { Money } from "../money.ts"

export type Product = { price: Money; active: boolean; weightGrams: number }
