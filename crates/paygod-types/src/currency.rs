//! Currencies: the active codes of ISO 4217 that have minor units.
//!
//! The table follows list one of the standard, funds codes included. Codes whose minor unit the
//! standard gives as "N.A." (gold, special drawing rights, testing) are refused: an amount of them
//! has no number of digits. So are withdrawn codes (HRK, ANG, BGN).
//!
//! It does not convert: crossing currencies is two linked legs.

use core::fmt;
use core::str::FromStr;

use crate::code::{self, Code};

/// Why a text is not a currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an active ISO 4217 currency with minor units; use a code such as `EUR`")]
pub struct CurrencyError {
    /// The text found, at most 16 bytes of it.
    pub text: Box<str>,
}

impl CurrencyError {
    /// The permanent code.
    #[must_use]
    pub const fn code(&self) -> Code {
        code::MONEY_CURRENCY_UNKNOWN
    }
}

macro_rules! currencies {
    ($($name:ident $bytes:literal $numeric:literal $exponent:literal $title:literal;)*) => {
        /// A currency. Its order is that of its code; its number in memory means nothing.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Currency {
            $(#[doc = $title] $name,)*
        }

        impl Currency {
            /// Every currency, in the order of its code.
            pub const LIST: &[Self] = &[$(Self::$name),*];

            /// Reads a three-letter code in capitals.
            ///
            /// # Errors
            /// Any other text.
            pub fn parse(text: &str) -> Result<Self, CurrencyError> {
                match text.as_bytes() {
                    $($bytes => Ok(Self::$name),)*
                    _ => Err(unknown(text)),
                }
            }

            /// The three-letter code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// The three-digit code of the standard, as a number.
            #[must_use]
            pub const fn numeric(self) -> u16 {
                match self { $(Self::$name => $numeric,)* }
            }

            /// How many decimal digits its minor unit has: 0, 2, 3 or 4.
            #[must_use]
            pub const fn exponent(self) -> u8 {
                match self { $(Self::$name => $exponent,)* }
            }

            /// The English name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

currencies! {
    AED b"AED" 784 2 "UAE Dirham";
    AFN b"AFN" 971 2 "Afghani";
    ALL b"ALL" 8 2 "Lek";
    AMD b"AMD" 51 2 "Armenian Dram";
    AOA b"AOA" 973 2 "Kwanza";
    ARS b"ARS" 32 2 "Argentine Peso";
    AUD b"AUD" 36 2 "Australian Dollar";
    AWG b"AWG" 533 2 "Aruban Florin";
    AZN b"AZN" 944 2 "Azerbaijan Manat";
    BAM b"BAM" 977 2 "Convertible Mark";
    BBD b"BBD" 52 2 "Barbados Dollar";
    BDT b"BDT" 50 2 "Taka";
    BHD b"BHD" 48 3 "Bahraini Dinar";
    BIF b"BIF" 108 0 "Burundi Franc";
    BMD b"BMD" 60 2 "Bermudian Dollar";
    BND b"BND" 96 2 "Brunei Dollar";
    BOB b"BOB" 68 2 "Boliviano";
    BOV b"BOV" 984 2 "Mvdol";
    BRL b"BRL" 986 2 "Brazilian Real";
    BSD b"BSD" 44 2 "Bahamian Dollar";
    BTN b"BTN" 64 2 "Ngultrum";
    BWP b"BWP" 72 2 "Pula";
    BYN b"BYN" 933 2 "Belarusian Ruble";
    BZD b"BZD" 84 2 "Belize Dollar";
    CAD b"CAD" 124 2 "Canadian Dollar";
    CDF b"CDF" 976 2 "Congolese Franc";
    CHE b"CHE" 947 2 "WIR Euro";
    CHF b"CHF" 756 2 "Swiss Franc";
    CHW b"CHW" 948 2 "WIR Franc";
    CLF b"CLF" 990 4 "Unidad de Fomento";
    CLP b"CLP" 152 0 "Chilean Peso";
    CNY b"CNY" 156 2 "Yuan Renminbi";
    COP b"COP" 170 2 "Colombian Peso";
    COU b"COU" 970 2 "Unidad de Valor Real";
    CRC b"CRC" 188 2 "Costa Rican Colon";
    CUP b"CUP" 192 2 "Cuban Peso";
    CVE b"CVE" 132 2 "Cabo Verde Escudo";
    CZK b"CZK" 203 2 "Czech Koruna";
    DJF b"DJF" 262 0 "Djibouti Franc";
    DKK b"DKK" 208 2 "Danish Krone";
    DOP b"DOP" 214 2 "Dominican Peso";
    DZD b"DZD" 12 2 "Algerian Dinar";
    EGP b"EGP" 818 2 "Egyptian Pound";
    ERN b"ERN" 232 2 "Nakfa";
    ETB b"ETB" 230 2 "Ethiopian Birr";
    EUR b"EUR" 978 2 "Euro";
    FJD b"FJD" 242 2 "Fiji Dollar";
    FKP b"FKP" 238 2 "Falkland Islands Pound";
    GBP b"GBP" 826 2 "Pound Sterling";
    GEL b"GEL" 981 2 "Lari";
    GHS b"GHS" 936 2 "Ghana Cedi";
    GIP b"GIP" 292 2 "Gibraltar Pound";
    GMD b"GMD" 270 2 "Dalasi";
    GNF b"GNF" 324 0 "Guinean Franc";
    GTQ b"GTQ" 320 2 "Quetzal";
    GYD b"GYD" 328 2 "Guyana Dollar";
    HKD b"HKD" 344 2 "Hong Kong Dollar";
    HNL b"HNL" 340 2 "Lempira";
    HTG b"HTG" 332 2 "Gourde";
    HUF b"HUF" 348 2 "Forint";
    IDR b"IDR" 360 2 "Rupiah";
    ILS b"ILS" 376 2 "New Israeli Sheqel";
    INR b"INR" 356 2 "Indian Rupee";
    IQD b"IQD" 368 3 "Iraqi Dinar";
    IRR b"IRR" 364 2 "Iranian Rial";
    ISK b"ISK" 352 0 "Iceland Krona";
    JMD b"JMD" 388 2 "Jamaican Dollar";
    JOD b"JOD" 400 3 "Jordanian Dinar";
    JPY b"JPY" 392 0 "Yen";
    KES b"KES" 404 2 "Kenyan Shilling";
    KGS b"KGS" 417 2 "Som";
    KHR b"KHR" 116 2 "Riel";
    KMF b"KMF" 174 0 "Comorian Franc";
    KPW b"KPW" 408 2 "North Korean Won";
    KRW b"KRW" 410 0 "Won";
    KWD b"KWD" 414 3 "Kuwaiti Dinar";
    KYD b"KYD" 136 2 "Cayman Islands Dollar";
    KZT b"KZT" 398 2 "Tenge";
    LAK b"LAK" 418 2 "Lao Kip";
    LBP b"LBP" 422 2 "Lebanese Pound";
    LKR b"LKR" 144 2 "Sri Lanka Rupee";
    LRD b"LRD" 430 2 "Liberian Dollar";
    LSL b"LSL" 426 2 "Loti";
    LYD b"LYD" 434 3 "Libyan Dinar";
    MAD b"MAD" 504 2 "Moroccan Dirham";
    MDL b"MDL" 498 2 "Moldovan Leu";
    MGA b"MGA" 969 2 "Malagasy Ariary";
    MKD b"MKD" 807 2 "Denar";
    MMK b"MMK" 104 2 "Kyat";
    MNT b"MNT" 496 2 "Tugrik";
    MOP b"MOP" 446 2 "Pataca";
    MRU b"MRU" 929 2 "Ouguiya";
    MUR b"MUR" 480 2 "Mauritius Rupee";
    MVR b"MVR" 462 2 "Rufiyaa";
    MWK b"MWK" 454 2 "Malawi Kwacha";
    MXN b"MXN" 484 2 "Mexican Peso";
    MXV b"MXV" 979 2 "Mexican Unidad de Inversion";
    MYR b"MYR" 458 2 "Malaysian Ringgit";
    MZN b"MZN" 943 2 "Mozambique Metical";
    NAD b"NAD" 516 2 "Namibia Dollar";
    NGN b"NGN" 566 2 "Naira";
    NIO b"NIO" 558 2 "Cordoba Oro";
    NOK b"NOK" 578 2 "Norwegian Krone";
    NPR b"NPR" 524 2 "Nepalese Rupee";
    NZD b"NZD" 554 2 "New Zealand Dollar";
    OMR b"OMR" 512 3 "Rial Omani";
    PAB b"PAB" 590 2 "Balboa";
    PEN b"PEN" 604 2 "Sol";
    PGK b"PGK" 598 2 "Kina";
    PHP b"PHP" 608 2 "Philippine Peso";
    PKR b"PKR" 586 2 "Pakistan Rupee";
    PLN b"PLN" 985 2 "Zloty";
    PYG b"PYG" 600 0 "Guarani";
    QAR b"QAR" 634 2 "Qatari Rial";
    RON b"RON" 946 2 "Romanian Leu";
    RSD b"RSD" 941 2 "Serbian Dinar";
    RUB b"RUB" 643 2 "Russian Ruble";
    RWF b"RWF" 646 0 "Rwanda Franc";
    SAR b"SAR" 682 2 "Saudi Riyal";
    SBD b"SBD" 90 2 "Solomon Islands Dollar";
    SCR b"SCR" 690 2 "Seychelles Rupee";
    SDG b"SDG" 938 2 "Sudanese Pound";
    SEK b"SEK" 752 2 "Swedish Krona";
    SGD b"SGD" 702 2 "Singapore Dollar";
    SHP b"SHP" 654 2 "Saint Helena Pound";
    SLE b"SLE" 925 2 "Leone";
    SOS b"SOS" 706 2 "Somali Shilling";
    SRD b"SRD" 968 2 "Surinam Dollar";
    SSP b"SSP" 728 2 "South Sudanese Pound";
    STN b"STN" 930 2 "Dobra";
    SVC b"SVC" 222 2 "El Salvador Colon";
    SYP b"SYP" 760 2 "Syrian Pound";
    SZL b"SZL" 748 2 "Lilangeni";
    THB b"THB" 764 2 "Baht";
    TJS b"TJS" 972 2 "Somoni";
    TMT b"TMT" 934 2 "Turkmenistan New Manat";
    TND b"TND" 788 3 "Tunisian Dinar";
    TOP b"TOP" 776 2 "Pa'anga";
    TRY b"TRY" 949 2 "Turkish Lira";
    TTD b"TTD" 780 2 "Trinidad and Tobago Dollar";
    TWD b"TWD" 901 2 "New Taiwan Dollar";
    TZS b"TZS" 834 2 "Tanzanian Shilling";
    UAH b"UAH" 980 2 "Hryvnia";
    UGX b"UGX" 800 0 "Uganda Shilling";
    USD b"USD" 840 2 "US Dollar";
    USN b"USN" 997 2 "US Dollar (Next day)";
    UYI b"UYI" 940 0 "Uruguay Peso en Unidades Indexadas";
    UYU b"UYU" 858 2 "Peso Uruguayo";
    UYW b"UYW" 927 4 "Unidad Previsional";
    UZS b"UZS" 860 2 "Uzbekistan Sum";
    VED b"VED" 926 2 "Bolivar Soberano";
    VES b"VES" 928 2 "Bolivar Soberano";
    VND b"VND" 704 0 "Dong";
    VUV b"VUV" 548 0 "Vatu";
    WST b"WST" 882 2 "Tala";
    XAD b"XAD" 396 2 "Arab Accounting Dinar";
    XAF b"XAF" 950 0 "CFA Franc BEAC";
    XCD b"XCD" 951 2 "East Caribbean Dollar";
    XCG b"XCG" 532 2 "Caribbean Guilder";
    XOF b"XOF" 952 0 "CFA Franc BCEAO";
    XPF b"XPF" 953 0 "CFP Franc";
    YER b"YER" 886 2 "Yemeni Rial";
    ZAR b"ZAR" 710 2 "Rand";
    ZMW b"ZMW" 967 2 "Zambian Kwacha";
    ZWG b"ZWG" 924 2 "Zimbabwe Gold";
}

#[cold]
fn unknown(text: &str) -> CurrencyError {
    CurrencyError {
        text: text
            .get(..text.floor_char_boundary(16))
            .unwrap_or(text)
            .into(),
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;

    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        Self::parse(text)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
