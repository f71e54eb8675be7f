//! The rows of scores.

use primitives::{Hotkey, MechId, NetUid, Timestamp};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{column, failed, integer, json, signed};
use crate::{Score, StoreError};

/// Writes scores that are new and refuses those that contradict an older one.
pub(super) async fn write(to: &mut SqliteConnection, scores: &[Score]) -> Result<(), StoreError> {
    for score in scores {
        let Score { netuid, mechid, hotkey, round, .. } = *score;
        let written = sqlx::query(
            "INSERT INTO scores (netuid, mechid, hotkey, round, value_bits, parts, at_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(i64::from(netuid.0))
        .bind(i64::from(mechid.0))
        .bind(hotkey.as_bytes().as_slice())
        .bind(signed(round))
        .bind(score.value.to_bits().cast_signed())
        .bind(score.parts.as_str())
        .bind(score.at.0)
        .execute(&mut *to)
        .await
        .map_err(failed("write a score"))?;
        if written.rows_affected() == 0 {
            for first in history(to, netuid, mechid, hotkey, round, 1).await? {
                first.repeated_by(score)?;
            }
            continue;
        }
        sqlx::query(
            "INSERT INTO latest_rounds (netuid, mechid, hotkey, round) VALUES ($1, $2, $3, $4)
             ON CONFLICT (netuid, mechid, hotkey) DO UPDATE SET round = excluded.round
             WHERE excluded.round > latest_rounds.round",
        )
        .bind(i64::from(netuid.0))
        .bind(i64::from(mechid.0))
        .bind(hotkey.as_bytes().as_slice())
        .bind(signed(round))
        .execute(&mut *to)
        .await
        .map_err(failed("move the latest round"))?;
    }
    Ok(())
}

pub(super) async fn latest_of(
    from: &mut SqliteConnection,
    netuid: NetUid,
    mechid: MechId,
    hotkey: Hotkey,
) -> Result<Option<Score>, StoreError> {
    let row = sqlx::query(
        "SELECT * FROM scores WHERE netuid = $1 AND mechid = $2 AND hotkey = $3
         ORDER BY round DESC LIMIT 1",
    )
    .bind(i64::from(netuid.0))
    .bind(i64::from(mechid.0))
    .bind(hotkey.as_bytes().as_slice())
    .fetch_optional(from)
    .await
    .map_err(failed("read a score"))?;
    row.as_ref().map(score).transpose()
}

pub(super) async fn latest(
    from: &mut SqliteConnection,
    netuid: NetUid,
    mechid: MechId,
    after: Option<Hotkey>,
    limit: i64,
) -> Result<Vec<Score>, StoreError> {
    // Every hotkey stands behind the empty string of bytes.
    let after = after.map_or(Vec::new(), |hotkey| hotkey.as_bytes().to_vec());
    let rows = sqlx::query(
        "SELECT s.* FROM latest_rounds l
         JOIN scores s ON s.netuid = l.netuid AND s.mechid = l.mechid AND s.hotkey = l.hotkey
                      AND s.round = l.round
         WHERE l.netuid = $1 AND l.mechid = $2 AND l.hotkey > $3 ORDER BY l.hotkey LIMIT $4",
    )
    .bind(i64::from(netuid.0))
    .bind(i64::from(mechid.0))
    .bind(after)
    .bind(limit)
    .fetch_all(from)
    .await
    .map_err(failed("read the latest scores"))?;
    rows.iter().map(score).collect()
}

pub(super) async fn history(
    from: &mut SqliteConnection,
    netuid: NetUid,
    mechid: MechId,
    hotkey: Hotkey,
    from_round: u64,
    limit: i64,
) -> Result<Vec<Score>, StoreError> {
    let Ok(from_round) = i64::try_from(from_round) else { return Ok(Vec::new()) };
    let rows = sqlx::query(
        "SELECT * FROM scores WHERE netuid = $1 AND mechid = $2 AND hotkey = $3 AND round >= $4
         ORDER BY round LIMIT $5",
    )
    .bind(i64::from(netuid.0))
    .bind(i64::from(mechid.0))
    .bind(hotkey.as_bytes().as_slice())
    .bind(from_round)
    .bind(limit)
    .fetch_all(from)
    .await
    .map_err(failed("read the history of a hotkey"))?;
    rows.iter().map(score).collect()
}

fn score(row: &SqliteRow) -> Result<Score, StoreError> {
    let hotkey: &[u8] = column(row, "hotkey")?;
    let bytes = hotkey.try_into().map_err(|_| StoreError::Damaged {
        what: "hotkey",
        detail: format!("{} bytes instead of 32", hotkey.len()),
    })?;
    Ok(Score {
        netuid: NetUid(integer(row, "netuid")?),
        mechid: MechId(integer(row, "mechid")?),
        hotkey: Hotkey::from_bytes(bytes),
        round: integer(row, "round")?,
        value: f64::from_bits(column::<i64>(row, "value_bits")?.cast_unsigned()),
        parts: json("score parts", column(row, "parts")?)?,
        at: Timestamp(column(row, "at_ms")?),
    })
}
