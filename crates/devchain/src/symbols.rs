//! What a subnet is called while its owner has given it no name: letters of many alphabets.
//!
//! Source: `SYMBOLS`, `NAMES` in `subnets/symbols.rs`.

use std::ops::RangeInclusive;

use primitives::NetUid;

/// The sign of TAO itself: root's, and that of subnets beyond the table.
const DEFAULT_SYMBOL: char = 'Τ';
/// The name of subnets beyond the table.
const DEFAULT_NAME: &str = "unknown";

/// The symbols in the order of netuids, as ranges of characters.
const SYMBOLS: &[RangeInclusive<char>] = &[
    // Greek
    DEFAULT_SYMBOL..=DEFAULT_SYMBOL,
    '\u{3B1}'..='\u{3C1}',
    '\u{3C3}'..='\u{3C3}',
    't'..='t',
    '\u{3C5}'..='\u{3C9}',
    // Hebrew
    '\u{5D0}'..='\u{5EA}',
    // Arabic
    '\u{627}'..='\u{628}',
    '\u{62A}'..='\u{63A}',
    '\u{641}'..='\u{648}',
    '\u{64A}'..='\u{64A}',
    '\u{649}'..='\u{649}',
    // Runes, and one letter that strayed among them
    '\u{16A0}'..='\u{16A0}',
    '\u{16A2}'..='\u{16A2}',
    '\u{16A6}'..='\u{16A6}',
    '\u{16A8}'..='\u{16A8}',
    '\u{16B1}'..='\u{16B1}',
    '\u{16B3}'..='\u{16B3}',
    '\u{42B}'..='\u{42B}',
    '\u{16C9}'..='\u{16C9}',
    '\u{16D2}'..='\u{16D2}',
    // Ogham
    '\u{1680}'..='\u{1685}',
    '\u{169B}'..='\u{169B}',
    // Georgian
    '\u{10D0}'..='\u{10D5}',
    // Armenian
    '\u{531}'..='\u{536}',
    '\u{55E}'..='\u{55E}',
    // Cyrillic
    '\u{400}'..='\u{405}',
    '\u{44A}'..='\u{44A}',
    // Coptic
    '\u{2C80}'..='\u{2C85}',
    // Brahmi
    '\u{11000}'..='\u{11003}',
    '\u{11005}'..='\u{11005}',
    // The end of Sinhala
    '\u{DB1}'..='\u{DB1}',
    '\u{DB3}'..='\u{DB7}',
    // Glagolitic
    '\u{2C00}'..='\u{2C20}',
    // Thai
    '\u{E01}'..='\u{E23}',
    '\u{E25}'..='\u{E25}',
    '\u{E27}'..='\u{E2E}',
    // Hangul
    '\u{3131}'..='\u{3131}',
    '\u{3134}'..='\u{3134}',
    '\u{3137}'..='\u{3137}',
    '\u{3139}'..='\u{3139}',
    '\u{3141}'..='\u{3142}',
    '\u{3145}'..='\u{3145}',
    '\u{3147}'..='\u{3148}',
    '\u{314A}'..='\u{3163}',
    // Ethiopic
    '\u{12A0}'..='\u{12A7}',
    '\u{12C8}'..='\u{12CE}',
    '\u{12B0}'..='\u{12B6}',
    '\u{1310}'..='\u{1312}',
    '\u{1218}'..='\u{1218}',
    '\u{1314}'..='\u{1316}',
    // Devanagari
    '\u{905}'..='\u{90B}',
    '\u{90F}'..='\u{910}',
    '\u{913}'..='\u{928}',
    '\u{92A}'..='\u{930}',
    '\u{932}'..='\u{932}',
    '\u{935}'..='\u{939}',
    // Katakana
    '\u{30A2}'..='\u{30A2}',
    '\u{30A4}'..='\u{30A4}',
    '\u{30A6}'..='\u{30A6}',
    '\u{30A8}'..='\u{30A8}',
    '\u{30AA}'..='\u{30AB}',
    '\u{30AD}'..='\u{30AD}',
    '\u{30AF}'..='\u{30AF}',
    '\u{30B1}'..='\u{30B1}',
    '\u{30B3}'..='\u{30B3}',
    '\u{30B5}'..='\u{30B5}',
    '\u{30B7}'..='\u{30B7}',
    '\u{30B9}'..='\u{30B9}',
    '\u{30BB}'..='\u{30BB}',
    '\u{30BD}'..='\u{30BD}',
    '\u{30BF}'..='\u{30BF}',
    '\u{30C1}'..='\u{30C1}',
    '\u{30C4}'..='\u{30C4}',
    '\u{30C6}'..='\u{30C6}',
    '\u{30C8}'..='\u{30C8}',
    '\u{30CA}'..='\u{30CF}',
    '\u{30D2}'..='\u{30D2}',
    '\u{30D5}'..='\u{30D5}',
    '\u{30D8}'..='\u{30D8}',
    '\u{30DB}'..='\u{30DB}',
    '\u{30DE}'..='\u{30E2}',
    '\u{30E4}'..='\u{30E4}',
    '\u{30E6}'..='\u{30E6}',
    '\u{30E8}'..='\u{30ED}',
    '\u{30EF}'..='\u{30EF}',
    '\u{30F2}'..='\u{30F3}',
    // Tifinagh
    '\u{2D30}'..='\u{2D53}',
    // Sinhala
    '\u{D85}'..='\u{D86}',
    '\u{D89}'..='\u{D96}',
    '\u{D9A}'..='\u{D9E}',
    '\u{DA0}'..='\u{DA4}',
    '\u{DA7}'..='\u{DA7}',
    '\u{DA5}'..='\u{DA6}',
    '\u{DA9}'..='\u{DA9}',
    '\u{DA8}'..='\u{DA8}',
    '\u{DAA}'..='\u{DB0}',
];

/// The names in the order of netuids, a comma between two.
const NAMES: &str = "root,apex,omron,templar,targon,kaito,infinite,subvortex,ptn,pretrain,sturdy,dippy,horde,dataverse,\
palaidn,deval,bitads,3gen,cortex,inference,bitagent,any-any,meta,social,omega,protein,alchemy,compute,oracle,coldint,\
bet,naschain,itsai,ready,mind,logic,automata,tuning,distributed,edge,chunk,sportsensor,masa,graphite,score,gen42,\
neural,condense,nextplace,automl,audio,celium,dojo,frontier,safescan,unknown,gradients,gaia,dippy-speach,agent-arena,\
unknown,red team,agentao,lean-in,chutes,sad,dad,ta,dha,ain,ghayn,fa,qaf,kaf,lam,mim,nun,ha,waw,ya,alef,fehu,uruz,\
thurisaz,ansuz,raidho,kaunan,cyr_yeru,algiz,berkanan,ogham,beith,luis,fearn,sail,nion,forfeda,ani,bani,gani,doni,eni,\
vini,ayp,ben,gim,da,ech,za,armeni,grave,io,dje,gje,ie,dze,hard_sign,alfa,alfas,vida,vida_small,gamma,gamma_small,\
brahmi_a,brahmi_aa,brahmi_i,brahmi_ii,brahmi_u,la,va,sha,ssa,sa,ha,glagolitic_az,glagolitic_buky,glagolitic_vede,\
glagolitic_glagoli,glagolitic_dobro,glagolitic_yest,glagolitic_zhivete,glagolitic_zemlja,glagolitic_izhe,\
glagolitic_initial_izhe,glagolitic_i,glagolitic_djerv,glagolitic_kako,glagolitic_ljudije,glagolitic_myse,\
glagolitic_nash,glagolitic_on,glagolitic_pokoj,glagolitic_rtsy,glagolitic_slovo,glagolitic_tvrido,glagolitic_uku,\
glagolitic_fert,glagolitic_xrivi,glagolitic_ot,glagolitic_cy,glagolitic_shcha,glagolitic_er,glagolitic_yeru,\
glagolitic_small_yer,glagolitic_yo,glagolitic_yu,glagolitic_ja,thai_ko_kai,thai_kho_khai,thai_kho_khuat,thai_kho_khon,\
thai_kho_rakhang,thai_kho_khwai,thai_ngo_ngu,thai_cho_chan,thai_cho_ching,thai_cho_chang,thai_so_so,thai_cho_choe,\
thai_yo_ying,thai_do_chada,thai_to_patak,thai_tho_than,thai_tho_nangmontho,thai_tho_phuthao,thai_no_nen,thai_do_dek,\
thai_to_tao,thai_tho_thung,thai_tho_thahan,thai_tho_thong,thai_no_nu,thai_bo_baimai,thai_po_pla,thai_pho_phung,\
thai_fo_fa,thai_pho_phan,thai_fo_fan,thai_pho_samphao,thai_mo_ma,thai_yo_yak,thai_ro_rua,thai_lo_ling,thai_wo_waen,\
thai_so_sala,thai_so_rusi,thai_so_sua,thai_ho_hip,thai_lo_chula,thai_o_ang,thai_ho_nokhuk,hangul_giyeok,hangul_nieun,\
hangul_digeut,hangul_rieul,hangul_mieum,hangul_bieup,hangul_siot,hangul_ieung,hangul_jieut,hangul_chieut,hangul_kieuk,\
hangul_tieut,hangul_pieup,hangul_hieut,hangul_a,hangul_ae,hangul_ya,hangul_yae,hangul_eo,hangul_e,hangul_yeo,hangul_ye,\
hangul_o,hangul_wa,hangul_wae,hangul_oe,hangul_yo,hangul_u,hangul_weo,hangul_we,hangul_wi,hangul_yu,hangul_eu,hangul_ui,\
hangul_i,ethiopic_glottal_a,ethiopic_glottal_u,ethiopic_glottal_i,ethiopic_glottal_aa,ethiopic_glottal_e,\
ethiopic_glottal_ie,ethiopic_glottal_o,ethiopic_glottal_wa,ethiopic_wa,ethiopic_wu,ethiopic_wi,ethiopic_waa,ethiopic_we,\
ethiopic_wye,ethiopic_wo,ethiopic_ko,ethiopic_ku,ethiopic_ki,ethiopic_kua,ethiopic_ke,ethiopic_kwe,ethiopic_ko_alt,\
ethiopic_go,ethiopic_gu,ethiopic_gi,ethiopic_gua,ethiopic_ge,ethiopic_gwe,ethiopic_go_alt,devanagari_a,devanagari_aa,\
devanagari_i,devanagari_ii,devanagari_u,devanagari_uu,devanagari_r,devanagari_e,devanagari_ai,devanagari_o,\
devanagari_au,devanagari_ka,devanagari_kha,devanagari_ga,devanagari_gha,devanagari_nga,devanagari_cha,devanagari_chha,\
devanagari_ja,devanagari_jha,devanagari_nya,devanagari_ta,devanagari_tha,devanagari_da,devanagari_dha,devanagari_na,\
devanagari_ta_alt,devanagari_tha_alt,devanagari_da_alt,devanagari_dha_alt,devanagari_na_alt,devanagari_pa,\
devanagari_pha,devanagari_ba,devanagari_bha,devanagari_ma,devanagari_ya,devanagari_ra,devanagari_la,devanagari_va,\
devanagari_sha,devanagari_ssa,devanagari_sa,devanagari_ha,katakana_a,kana_i,kana_u,kana_e,kana_o,kana_a,kana_ki,kana_ku,\
kana_ke,kana_ko,kana_sa,kana_shi,kana_su,kana_se,kana_so,kana_ta,kana_chi,kana_tsu,kana_te,kana_to,kana_na,kana_ni,\
kana_nu,kana_ne,kana_no,kana_ha,kana_hi,kana_fu,kana_he,kana_ho,kana_ma,kana_mi,kana_mu,kana_me,kana_mo,kana_ya,kana_yu,\
kana_yo,kana_ra,kana_ri,kana_ru,kana_re,kana_ro,kana_wa,kana_wo,kana_n,ya,yab,yabh,yag,yagh,yaj,yach,yad,yadh,yadhe,yaz,\
yazh,yaf,yak,yakv,yaq,yah,yahh,yahl,yahm,yayn,yakh,yakl,yahq,yash,yi,yij,yizh,yink,yal,yam,yan,yang,yany,yap,yu,a,aa,i,\
ii,u,uu,r,rr,l,ll,e,ee,ai,o,oo,au,ka,kha,ga,gha,nga,cha,chha,ja,jha,nya,ta,tha,da,dha,na,pa,pha,ba,bha,ma,ya,ra";

/// A subnet's token symbol. Source: `get_symbol_for_subnet`.
pub(crate) fn symbol(netuid: NetUid) -> String {
    SYMBOLS.iter().cloned().flatten().nth(netuid.index()).unwrap_or(DEFAULT_SYMBOL).into()
}

/// The symbols that a subnet may choose, in the order of netuids: all but root's.
pub(crate) fn of_subnets() -> impl Iterator<Item = char> {
    SYMBOLS.iter().cloned().flatten().skip(1)
}

/// The name of a subnet whose owner gave it none. Source: `get_name_for_subnet`.
pub(crate) fn default_name(netuid: NetUid) -> &'static str {
    NAMES.split(',').nth(netuid.index()).unwrap_or(DEFAULT_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of both tables.
    const COUNT: usize = 439;

    #[test]
    fn symbols_and_names_stand_where_the_chain_has_them() {
        assert_eq!(SYMBOLS.iter().cloned().flatten().count(), COUNT);
        assert_eq!(NAMES.split(',').count(), COUNT);
        for (netuid, letter, name) in [
            (0, "Τ", "root"),
            (1, "α", "apex"),
            (19, "t", "inference"),
            (24, "ω", "omega"),
            (51, "ת", "celium"),
            (64, "ش", "chutes"),
            (80, "ى", "alef"),
            (87, "Ы", "cyr_yeru"),
            (96, "᚛", "forfeda"),
            (127, "𑀅", "brahmi_u"),
            (166, "Ⱐ", "glagolitic_ja"),
            (210, "ฮ", "thai_ho_nokhuk"),
            (245, "ㅣ", "hangul_i"),
            (271, "መ", "ethiopic_gua"),
            (318, "ह", "devanagari_ha"),
            (364, "ン", "kana_n"),
            (400, "ⵓ", "yu"),
            (427, "ට", "ta"),
            (438, "ධ", "ra"),
            (439, "Τ", "unknown"),
        ] {
            assert_eq!((&*symbol(NetUid(netuid)), default_name(NetUid(netuid))), (letter, name), "{netuid}");
        }
    }
}
